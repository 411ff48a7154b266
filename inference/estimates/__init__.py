"""What a program's resources amount to: memory, time, money, capacity.

Pure functions of the views that rules judge, so that they serve any program; every figure names the fact and the
count that it comes from.
"""
