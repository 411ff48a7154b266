"""Both revisions in one picture: what comes, what goes, and what each thing was."""

from __future__ import annotations

from inference.rules.views.stack import Stack
from rehearsal.picture.bounds import bounded, grouped
from rehearsal.picture.changes import changed
from rehearsal.picture.drawing import drawing
from rehearsal.picture.graph import Kind, Line, Mark, Node, Topology, Way
from rehearsal.picture.mermaid import mermaid
from rehearsal.picture.svg import readable
from tests.inference.rules.cases import deployment, node_pool, resource

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


def marks(drawn: Topology) -> dict[str, str]:
    return {node.title: node.mark.value for node in drawn.nodes}


def node(drawn: Topology, title: str) -> Node:
    (found,) = [each for each in drawn.nodes if each.title == title]
    return found


def pool(name: str, **props: object):
    return node_pool(name, {"name": name, "cluster": "theirs", **props})


def test_without_operations_nothing_is_marked() -> None:
    drawn = drawing(None, Stack([pool("a"), deployment()]), {})
    assert not drawn.marks


def test_a_pool_that_goes_stays_in_the_picture_as_deleted() -> None:
    gone, kept = pool("gone"), pool("kept")
    drawn = drawing(Stack([gone, kept]), Stack([kept]), {gone.urn: "delete"})
    assert marks(drawn)["gone"] == "delete"
    assert marks(drawn)["kept"] == ""


def test_a_model_with_other_replicas_says_how_many_it_had() -> None:
    old, new = deployment(), deployment(spec={"replicas": 3})
    drawn = drawing(Stack([old]), Stack([new]), {new.urn: "update"})
    model = node(drawn, "google/gemma-3-4b-it")
    assert model.mark is Mark.UPDATE
    assert [line.plain for line in model.lines if line.was] == ["1 replica → 3 replicas"]


def test_a_replaced_pool_is_marked_as_replaced() -> None:
    old, new = pool("a"), pool("a", nodeConfig={"machineType": "g2-standard-8"})
    drawn = drawing(Stack([old]), Stack([new]), {new.urn: "replace"})
    assert marks(drawn)["a"] == "replace"
    assert next(line for line in node(drawn, "a").lines if line.key == "machine").plain.endswith("→ g2-standard-8")


def test_a_new_stack_is_created_and_a_removed_one_deleted_as_a_whole() -> None:
    things = [pool("a"), resource(NETWORK, "net", {"name": "net"})]
    stack = Stack(things)
    after = drawing(None, stack, {thing.urn: "create" for thing in things})
    before = drawing(stack, None, {thing.urn: "delete" for thing in things})
    assert {each.mark for each in after.nodes if not each.outside} == {Mark.CREATE}
    assert {each.mark for each in before.nodes} == {Mark.DELETE}


def test_a_resource_under_another_name_is_the_same_box() -> None:
    old, new = pool("old"), pool("new")
    drawn = drawing(Stack([old]), Stack([new]), {new.urn: "update"}, renamed={old.urn: new.urn})
    (box,) = [each for each in drawn.nodes if each.kind is Kind.POOL]
    assert box.title == "old → new"
    assert box.mark is Mark.UPDATE


def test_a_change_that_no_line_shows_is_still_marked() -> None:
    thing = pool("a")
    drawn = drawing(Stack([thing]), Stack([thing]), {thing.urn: "update"})
    assert marks(drawn)["a"] == "update"
    assert not any(line.was for line in node(drawn, "a").lines)


def test_a_pool_inside_a_cluster_is_marked_by_what_differs_and_not_by_its_cluster() -> None:
    def cluster(count: int):
        config = {"machineType": "g2-standard-4"}
        pools = [{"name": n, "nodeCount": c, "nodeConfig": config} for n, c in (("a", 1), ("b", count))]
        return resource("gcp:container/cluster:Cluster", "c", {"location": "us-central1-a", "nodePools": pools})

    old, new = cluster(1), cluster(2)
    drawn = drawing(Stack([old]), Stack([new]), {new.urn: "update"})
    assert marks(drawn) == {"a": "", "b": "update", "c": "update", "default": ""}


def test_nics_that_come_or_go_are_counted_on_the_way() -> None:
    net = resource(NETWORK, "net", {"name": "net"})

    def attached(count: int):
        return pool("a", networkConfig={"additionalNodeNetworkConfigs": [{"network": "net"}] * count})

    old, new = attached(1), attached(4)
    drawn = drawing(Stack([net, old]), Stack([net, new]), {new.urn: "update"})
    (way,) = [edge for edge in drawn.edges if edge.way is Way.NICS]
    assert way.text == "1 → 4 NICs"
    assert way.mark is Mark.UPDATE


def test_words_that_both_revisions_share_are_said_once() -> None:
    assert Line("a", "4–6 nodes in b", "2–4 nodes in b").plain == "2–4 → 4–6 nodes in b"
    assert Line("a", "vLLM v2", "vLLM v1").plain == "vLLM v1 → v2"
    assert Line("a", "spot", "on demand").plain == "on demand → spot"
    assert Line("a", "1 pod of two", "1 pod").plain == "1 pod → 1 pod of two"
    assert Line("a", "", "spot").plain == "no longer: spot"


# Like things together


def rails(count: int) -> list:
    network = resource(NETWORK, "net", {"name": "net"})
    subnets = [
        resource(SUBNETWORK, f"rail-{n}", {"name": f"rail-{n}", "network": "net", "ipCidrRange": f"10.0.{n}.0/24"})
        for n in range(count)
    ]
    return [network, *subnets]


def test_numbered_subnets_are_one_box_from_three_on() -> None:
    assert {"rail-0", "rail-1"} <= set(marks(drawing(None, Stack(rails(2)), {})))
    drawn = drawing(None, Stack(rails(12)), {})
    box = node(drawn, "rail-0 … rail-11")
    assert [line.text for line in box.lines] == ["10.0.0.0/24 … 10.0.11.0/24", "12 subnets"]
    assert len(box.urns) == 12


def test_a_group_of_which_only_a_part_changes_says_so() -> None:
    before, after = rails(8), rails(7)
    drawn = drawing(Stack(before), Stack(after), {before[-1].urn: "delete"})
    box = node(drawn, "rail-0 … rail-7")
    assert box.mark is Mark.UPDATE
    assert box.lines[-1].text == "1 of 8: delete"


def test_numbered_networks_are_one_box_with_their_subnets_and_the_nics_add_up() -> None:
    things = []
    for n in range(4):
        things.append(resource(NETWORK, f"net-{n}", {"name": f"net-{n}"}))
        things.append(resource(SUBNETWORK, f"sub-{n}", {"name": f"sub-{n}", "network": f"net-{n}"}))
    attachments = [{"network": f"net-{n}"} for n in range(4)]
    things.append(pool("a", networkConfig={"additionalNodeNetworkConfigs": attachments}))
    drawn = drawing(None, Stack(things), {})
    assert {"net-0 … net-3", "sub-0 … sub-3"} <= set(marks(drawn))
    assert [edge.text for edge in drawn.edges] == ["4 NICs"]


# Bounds


def test_ten_thousand_resources_give_a_bounded_picture_that_counts_the_rest() -> None:
    pools = [pool(f"pool-{n}") for n in range(424)]
    others = [resource("gcp:storage/bucket:Bucket", f"b-{n}", {}) for n in range(9_000)]
    models = [deployment(f"m-{n}") for n in range(576)]
    drawn = drawing(None, Stack([*pools, *others, *models]), {})
    titles = set(marks(bounded(drawn, 12, 8)))
    assert "and 412 more node pools" in titles
    assert len(readable(drawn).nodes) <= 160
    assert len(mermaid(drawn)) <= 50_000


def test_what_changes_is_shown_before_what_stays() -> None:
    pools = [pool(f"pool-{n}") for n in range(100)]
    stack = Stack(pools)
    drawn = bounded(drawing(stack, stack, {pools[77].urn: "update"}), 5, 8)
    assert marks(drawn)["pool-77"] == "update"
    assert "and 95 more node pools" in marks(drawn)


def test_what_is_left_out_tells_how_much_of_it_changes() -> None:
    pools = [pool(f"pool-{n}") for n in range(10)]
    drawn = bounded(drawing(None, Stack(pools), {each.urn: "create" for each in pools}), 4, 8)
    rest = node(drawn, "and 6 more node pools")
    assert rest.mark is Mark.CREATE
    assert [line.text for line in rest.lines] == ["6 to create"]


def test_both_sides_missing_is_an_empty_picture() -> None:
    assert grouped(changed(None, None, {})) == Topology()
