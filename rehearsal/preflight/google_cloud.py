"""Google Cloud's own answers, through its client libraries and the caller's Application Default Credentials.

All clients speak REST, so that one endpoint can stand in for all of them in a test.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import Any

from inference.problems import Problem, ProblemsError
from rehearsal.preflight.questions import Channel, Limit, NotAnsweredError, QuotaRow, ReservationFound, ServerVersions
from rehearsal.texts import cut

__all__ = ["GoogleCloud", "Libraries", "credentials", "load"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_S = 30
_PATIENCE_S = 10.0
"""For one question with all its retries; the libraries would try for ten minutes."""

_SERVICES_A_CALL = 30
"""Names that one call of ``services:batchGet`` takes: https://cloud.google.com/service-usage/docs/reference/rest"""
_PERMISSIONS_A_CALL = 100
"""Permissions that one call of ``testIamPermissions`` takes."""


class Libraries:
    """The client libraries, imported when they are needed: they are not among the requirements of the rest."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # They announce the end of support of Python versions on import.
            warnings.simplefilter("ignore", FutureWarning)
            from google.api_core import exceptions, retry
            from google.auth import exceptions as auth_exceptions
            from google.cloud import (
                cloudquotas_v1,
                compute_v1,
                container_v1,
                resourcemanager_v3,
                service_usage_v1,
            )
        self.exceptions: ModuleType = exceptions
        self.retry: ModuleType = retry
        self.auth_exceptions: ModuleType = auth_exceptions
        self.compute: ModuleType = compute_v1
        self.container: ModuleType = container_v1
        self.quotas: ModuleType = cloudquotas_v1
        self.projects: ModuleType = resourcemanager_v3
        self.services: ModuleType = service_usage_v1


def load() -> Libraries:
    """Import the client libraries.

    Raises:
        ProblemsError: where they are not installed.
    """
    try:
        return Libraries()
    except ImportError as error:
        what = f"{error.name or 'a client library'} is not installed"
        why = "the preflight asks Google Cloud, and nothing else here needs these libraries"
        remedy = "Run python -m pip install -r requirements-preflight.txt in the project's environment."
        raise ProblemsError("preflight", [Problem("Python packages", what, why, remedy)]) from None


def credentials(project: str | None) -> Any:
    """Return the caller's Application Default Credentials, and make sure that they still hold.

    Raises:
        ProblemsError: where there are none, or they have expired.
    """
    import google.auth
    from google.auth import exceptions
    from google.auth.transport.requests import Request

    login = "Run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to a key or WIF file."
    where = "Application Default Credentials"
    try:
        found, _ = google.auth.default(scopes=[_SCOPE])
        if project is not None and not getattr(found, "quota_project_id", None):
            named = getattr(found, "with_quota_project", None)
            found = named(project) if named is not None else found
        found.refresh(Request())
    except exceptions.DefaultCredentialsError:
        why = "the preflight asks as you, and nobody is logged in here"
        raise ProblemsError("preflight", [Problem(where, "none found", why, login)]) from None
    except exceptions.TransportError as error:
        remedy = "Check the connection and its proxy."
        raise ProblemsError("preflight", [Problem(where, "not refreshed", _short(error), remedy)]) from None
    except exceptions.GoogleAuthError as error:
        raise ProblemsError("preflight", [Problem(where, "refused", _short(error), login)]) from None
    return found


def _short(error: BaseException) -> str:
    """Return the first sentence of an error: what follows are often stack traces and links."""
    # The cause of a retry that was given up says more than that it was.
    error = getattr(error, "cause", None) or error
    text = str(getattr(error, "message", "") or error)
    return cut(text.strip().partition("\n")[0], 300) or type(error).__name__


class _RefusedError(NotAnsweredError):
    """The question itself is not one that Google Cloud takes."""


class GoogleCloud:
    """Answers from Google Cloud; see ``questions.Cloud``."""

    def __init__(
        self, libraries: Libraries, credentials: Any, endpoint: str | None = None, patience_s: float = _PATIENCE_S
    ) -> None:
        self._libraries = libraries
        self._retry = libraries.retry.Retry(timeout=patience_s)
        options = {"api_endpoint": endpoint} if endpoint else None
        self._made: dict[type, Any] = {}
        self._arguments = {"credentials": credentials, "transport": "rest", "client_options": options}

    def _client(self, kind: Any) -> Any:
        if kind not in self._made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                self._made[kind] = kind(**self._arguments)
        return self._made[kind]

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Turn an error of the libraries into the reason why there is no answer."""
        try:
            yield
        except self._libraries.exceptions.NotFound:
            raise
        except self._libraries.exceptions.BadRequest as error:
            raise _RefusedError(_short(error)) from None
        except self._libraries.exceptions.GoogleAPIError as error:
            raise NotAnsweredError(_short(error)) from None
        except self._libraries.auth_exceptions.GoogleAuthError as error:
            raise NotAnsweredError(_short(error)) from None
        except OSError as error:
            # requests' errors of connection are among these.
            raise NotAnsweredError(_short(error)) from None

    def _get(self, kind: Any, method: str = "get", **fields: Any) -> Any | None:
        """Return what a client's method answers, None where there is no such thing."""
        try:
            with self._answered():
                return getattr(self._client(kind), method)(request=fields, retry=self._retry, timeout=_TIMEOUT_S)
        except self._libraries.exceptions.NotFound:
            return None

    def _found(self, what: str, answer: Any | None) -> Any:
        if answer is None:
            raise NotAnsweredError(f"{what} was not found, or you may not see it")
        return answer

    def region_quotas(self, project: str, region: str) -> Mapping[str, Limit]:
        answer = self._get(self._libraries.compute.RegionsClient, project=project, region=region)
        return _limits(self._found(f"the region {region} of {project}", answer))

    def project_quotas(self, project: str) -> Mapping[str, Limit]:
        answer = self._get(self._libraries.compute.ProjectsClient, project=project)
        return _limits(self._found(f"the project {project}", answer))

    def quota_rows(self, project: str, service: str, quota_id: str) -> Sequence[QuotaRow] | None:
        name = f"projects/{project}/locations/global/services/{service}/quotaInfos/{quota_id}"
        answer = self._get(self._libraries.quotas.CloudQuotasClient, "get_quota_info", name=name)
        if answer is None:
            return None
        return [_row(info) for info in answer.dimensions_infos]

    def reservation(self, project: str, zone: str, name: str) -> ReservationFound | None:
        kind = self._libraries.compute.ReservationsClient
        answer = self._get(kind, project=project, zone=zone, reservation=name)
        return None if answer is None else _reservation(answer)

    def has_block(self, project: str, zone: str, path: str) -> bool:
        name, _, block, *sub = path.split("/")
        compute = self._libraries.compute
        if not sub:
            fields = {"reservation": name, "reservation_block": block}
            return self._get(compute.ReservationBlocksClient, project=project, zone=zone, **fields) is not None
        fields = {"parent_name": f"reservations/{name}/reservationBlocks/{block}", "reservation_sub_block": sub[-1]}
        return self._get(compute.ReservationSubBlocksClient, project=project, zone=zone, **fields) is not None

    def offers_machine(self, project: str, zone: str, machine_type: str) -> bool:
        kind = self._libraries.compute.MachineTypesClient
        return self._get(kind, project=project, zone=zone, machine_type=machine_type) is not None

    def offers_accelerator(self, project: str, zone: str, accelerator: str) -> bool:
        kind = self._libraries.compute.AcceleratorTypesClient
        return self._get(kind, project=project, zone=zone, accelerator_type=accelerator) is not None

    def offers_profile(self, project: str, name: str) -> bool:
        kind = self._libraries.compute.NetworkProfilesClient
        return self._get(kind, project=project, network_profile=name) is not None

    def enabled(self, project: str, apis: Sequence[str]) -> Mapping[str, bool]:
        found: dict[str, bool] = {}
        for start in range(0, len(apis), _SERVICES_A_CALL):
            names = [f"projects/{project}/services/{api}" for api in apis[start : start + _SERVICES_A_CALL]]
            kind = self._libraries.services.ServiceUsageClient
            answer = self._get(kind, "batch_get_services", parent=f"projects/{project}", names=names)
            for service in self._found(f"the project {project}", answer).services:
                found[service.name.rpartition("/")[2]] = service.state == self._libraries.services.State.ENABLED
        return found

    def granted(self, project: str, permissions: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        for start in range(0, len(permissions), _PERMISSIONS_A_CALL):
            found.update(self._granted(project, permissions[start : start + _PERMISSIONS_A_CALL]))
        return frozenset(found)

    def _granted(self, project: str, permissions: Sequence[str]) -> Iterator[str]:
        kind = self._libraries.projects.ProjectsClient
        fields = {"resource": f"projects/{project}", "permissions": list(permissions)}
        try:
            answer = self._get(kind, "test_iam_permissions", **fields)
        except _RefusedError:
            if len(permissions) == 1:
                # A name that projects do not know, which spoiled the whole call.
                return
            half = len(permissions) // 2
            yield from self._granted(project, permissions[:half])
            yield from self._granted(project, permissions[half:])
            return
        yield from self._found(f"the project {project}", answer).permissions

    def versions(self, project: str, location: str) -> ServerVersions:
        kind = self._libraries.container.ClusterManagerClient
        answer = self._get(kind, "get_server_config", name=f"projects/{project}/locations/{location}")
        config = self._found(f"the location {location}", answer)
        names = self._channel_names
        channels = {
            names.get(int(each.channel), "UNSPECIFIED"): Channel(each.default_version, tuple(each.valid_versions))
            for each in config.channels
        }
        return ServerVersions(channels, tuple(config.valid_master_versions))

    @cached_property
    def _channel_names(self) -> Mapping[int, str]:
        return {int(each): each.name for each in self._libraries.container.ReleaseChannel.Channel}


def _limits(answer: Any) -> Mapping[str, Limit]:
    return {quota.metric: Limit(quota.limit, quota.usage) for quota in answer.quotas}


def _row(info: Any) -> QuotaRow:
    # A row without a value reads as 0 here, which is what it stands for.
    return QuotaRow(dict(info.dimensions), int(info.details.value))


def _reservation(answer: Any) -> ReservationFound:
    held = answer.specific_reservation
    shape = held.instance_properties
    guests: Counter[str] = Counter()
    for guest in shape.guest_accelerators:
        guests[guest.accelerator_type.rpartition("/")[2]] += guest.accelerator_count
    return ReservationFound(
        machine_type=shape.machine_type.rpartition("/")[2] or None,
        accelerators=dict(guests),
        local_ssds=len(shape.local_ssds),
        count=held.count,
        in_use=held.in_use_count,
        specific_only=answer.specific_reservation_required,
        status=answer.status,
    )
