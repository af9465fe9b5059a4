"""A disk that fills up: 507 before it is full, reads and deletes go on, and deleting makes room again."""

import os
import subprocess

import pytest

from payload import MIB, digest, seeded
from server import poll
from wire import assert_problem, target

SIZE_MIB = int(os.environ.get("VORTEX_E2E_DISK_MIB", "256"))


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(request, scratch):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place = scratch / "mount"
    place.mkdir()
    if request.param == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "vortex-test", str(place)]
    else:
        image = scratch / "image"
        with open(image, "wb") as file:
            file.truncate(SIZE_MIB * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def free_bytes(place) -> int:
    state = os.statvfs(place)
    return state.f_bavail * state.f_frsize


@pytest.mark.timeout(400)
def test_a_full_disk_refuses_uploads_and_recovers_by_deleting(small_disk, new_server):
    server = new_server(["--reserve-mib", "16"])
    server.data = small_disk / "data"
    server.start()
    server.create_bucket("full")
    bodies, answer = {}, None
    for number in range(2 * SIZE_MIB):
        body = seeded(MIB, number)
        answer = server.call("PUT", target("full", f"k{number:04}"), body)
        if answer.status != 201:
            break
        bodies[f"k{number:04}"] = digest(body)
    assert_problem(answer, 507, "full")
    free = free_bytes(small_disk)
    print(f"{len(bodies)} MiB stored of {SIZE_MIB}, {free / MIB:.0f} MiB free at 507")
    assert len(bodies) >= SIZE_MIB // 8, "refused far too early"
    assert server.alive and server.call("GET", "/v1/health/live").status == 200

    with server.place.session() as session:
        for key, expected in bodies.items():
            assert digest(session.call("GET", target("full", key)).body) == expected, key
    chunked = server.call("PUT", target("full", "chunked"), iter([seeded(MIB)] * 8))
    assert chunked.status == 507
    assert server.call("GET", target("full", "chunked")).status == 404

    doomed = [key for number, key in enumerate(bodies) if number % 4 != 0]
    for key in doomed:
        assert server.call("DELETE", target("full", key)).status == 204, "deleting works on a full disk"
        del bodies[key]
    server.restart()
    for key, expected in bodies.items():
        assert digest(server.call("GET", target("full", key)).body) == expected, key
    for key in doomed[:5]:
        assert server.call("GET", target("full", key)).status == 404


def test_a_node_without_any_room_to_start_says_so_and_loses_nothing(small_disk, new_server):
    server = new_server(["--reserve-mib", "16"])
    server.data = small_disk / "data"
    server.start()
    server.create_bucket("kept")
    assert server.call("PUT", target("kept", "k"), seeded(3 * MIB)).status == 201
    server.kill()
    other = small_disk / "of-somebody-else"
    with open(other, "wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(MIB))
            file.flush()
    for _ in range(5):
        with pytest.raises(AssertionError, match="ended with 1: Error: The disk is full"):
            server.start()
    other.unlink()
    server.start()
    assert digest(server.call("GET", target("kept", "k")).body) == digest(seeded(3 * MIB))


@pytest.mark.timeout(400)
def test_space_comes_back_after_deleting(small_disk, new_server):
    server = new_server(["--reserve-mib", "16"])
    server.data = small_disk / "data"
    server.start()
    server.create_bucket("space")
    count = 0
    while server.call("PUT", target("space", f"k{count}"), seeded(MIB, count)).status == 201:
        count += 1
    for number in range(count):
        server.call("DELETE", target("space", f"k{number}"))
    poll(lambda: server.call("PUT", target("space", "again"), seeded(MIB)).status == 201, 120,
         "room for another object: on a full disk what is deleted goes at once", interval=1)


def test_the_reserve_is_kept_free(new_server, scratch):
    state = os.statvfs(scratch)
    everything = state.f_blocks * state.f_frsize
    server = new_server(["--reserve-mib", str(everything >> 20)]).start()
    created = server.call("PUT", "/v1/buckets/reserve")
    answer = server.call("PUT", target("reserve", "k"), b"x")
    assert 507 in (created.status, answer.status), (created.status, answer.status)
    assert server.call("GET", "/v1/health/live").status == 200
