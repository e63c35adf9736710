"""What is warm serves what comes: the pieces hold all points, and the soonest way wins."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pullback_server.scheduling.buckets import POINT, Costs
from pullback_server.scheduling.serving import MOST_PIECES, Piece, gather, serve, worth_compiling

BUCKETS = [POINT, *(1 << power for power in range(13))]


def linear(overhead: float, each: float) -> Costs:
    """Costs of a kind whose runs take an overhead and so much for each point."""
    costs = Costs()
    for bucket in BUCKETS:
        costs.learn(bucket, overhead + each * max(bucket, 1))
    return costs


warm_buckets = st.sets(st.sampled_from(BUCKETS)).map(sorted)
all_costs = st.builds(linear, st.floats(0, 1e-3), st.floats(1e-9, 1e-2))


@settings(deadline=None)
@given(st.integers(1, 5000), warm_buckets, all_costs)
def test_pieces_hold_all_points(points: int, warm: list[int], costs: Costs) -> None:
    """Each piece runs in a warm bucket that holds it, and together they have all points."""
    serving = serve(points, warm, costs)
    if serving is None:
        assert not any(bucket >= points for bucket in warm)
        return
    assert sum(piece.points for piece in serving.pieces) == points
    assert 1 <= len(serving.pieces) <= MOST_PIECES
    for piece in serving.pieces:
        assert piece.bucket in warm
        assert piece.points <= max(piece.bucket, 1)


@settings(deadline=None)
@given(st.integers(1, 4096), warm_buckets, all_costs)
def test_never_worse_than_padding(points: int, warm: list[int], costs: Costs) -> None:
    """No way that was chosen takes longer than one run of the smallest bucket that holds all."""
    serving = serve(points, warm, costs)
    larger = [bucket for bucket in warm if bucket >= points]
    if larger:
        assert serving is not None
        assert serving.seconds <= 150e-6 + (costs.seconds(larger[0]) or 0.0)


def test_light_points_are_padded() -> None:
    """Where points cost nothing, one padded run beats several."""
    serving = serve(5, [POINT, 4, 64], linear(50e-6, 1e-9))
    assert serving is not None
    assert serving.pieces == (Piece(5, 64),)


def test_heavy_points_are_not_padded() -> None:
    """Where points cost much, two runs beat the padding."""
    serving = serve(33, [POINT, 32, 64], linear(50e-6, 1e-2))
    assert serving is not None
    assert serving.pieces == (Piece(32, 32), Piece(1, POINT))


def test_too_many_pieces() -> None:
    """A large batch is not cut into hundreds of points."""
    assert serve(1000, [POINT, 8], linear(50e-6, 1e-6)) is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 64), min_size=1, max_size=100), warm_buckets, all_costs)
def test_gathered_fit(counts: list[int], warm: list[int], costs: Costs) -> None:
    """Those who go together fit into the bucket that runs them."""
    sums = [sum(counts[: number + 1]) for number in range(len(counts))]
    gathering = gather(sums, warm, costs)
    assert 1 <= gathering.members <= len(counts)
    if gathering.members > 1:
        assert gathering.bucket is not None
        assert gathering.bucket in warm
        assert sums[gathering.members - 1] <= gathering.bucket


def test_company_of_light_points() -> None:
    """All go in the smallest bucket that holds them; without one, as many as fit."""
    costs = linear(50e-6, 1e-7)
    assert gather(range(1, 12), [POINT, 4, 16, 64], costs).members == 11
    assert gather(range(1, 12), [POINT, 4, 16, 64], costs).bucket == 16
    assert gather(range(1, 12), [POINT, 4], costs).members == 4


def test_no_company_without_gain() -> None:
    """A function that takes as long for each point of a batch as alone, or longer, is run alone."""
    costs = Costs()
    costs.learn(POINT, 0.05)
    costs.learn(16, 1.6)
    gathering = gather(range(1, 17), [POINT, 16], costs)
    assert (gathering.members, gathering.bucket) == (1, POINT)


def test_nothing_warm() -> None:
    """What nothing serves goes alone, as it is."""
    gathering = gather([3, 6], [], Costs())
    assert (gathering.members, gathering.bucket) == (1, None)


def test_worth() -> None:
    """A bucket is compiled for a clear gain; of a kind that never ran as a batch, gain is hoped for."""
    costs = linear(50e-6, 1e-7)
    assert worth_compiling(16, 16 * 200e-6, costs)
    assert not worth_compiling(16, 210e-6, costs)
    alone = Costs()
    alone.learn(POINT, 1.0)
    assert worth_compiling(16, 16.0, alone)
