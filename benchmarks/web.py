"""The explorer and the service: how soon the page is there, how it follows a hand, and a crowd.

    python benchmarks/web.py RUN [--seconds 60] [--only start,drag,pan,crowd]

RUN is a run on images, such as that of `make demo`. The browser is the Chromium that is installed,
headless and without a GPU; server and browser have one core.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import numpy as np
import results
from playwright.sync_api import sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
STARTS, MOVES, POINTS, PAN_SECONDS, CLIENTS = 5, 200, 50_000, 5, 200

# moves the hand to places all over the map, each after the picture of the last one is there
DRAG = """async (moves) => {
  const map = document.getElementById("map"), box = map.getBoundingClientRect(), seconds = [];
  const send = (type, x, y) => map.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, clientX: box.left + x, clientY: box.top + y, bubbles: true }));
  map.setPointerCapture = () => {};
  send("pointerdown", 20, 20);
  await new Promise((done) => setTimeout(done, 500));
  for (let i = 0; i < moves; i++) {
    const begin = performance.now();
    const drawn = new Promise((done) => new MutationObserver((_, watch) => {
      watch.disconnect(); done();
    }).observe(document.getElementById("decoded"), { childList: true }));
    send("pointermove", 20 + (i * 37) % (box.width - 40), 20 + (i * 53) % (box.height - 40));
    await drawn;
    seconds.push(performance.now() - begin);
  }
  send("pointerup", 20, 20);
  return seconds;
}"""
# moves the map a little in every frame
PAN = """async (seconds) => {
  const map = document.getElementById("map"), box = map.getBoundingClientRect();
  const send = (type, x, y) => map.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, clientX: box.left + x, clientY: box.top + y, shiftKey: true, bubbles: true }));
  map.setPointerCapture = () => {};
  send("pointerdown", 200, 200);
  const begin = performance.now(), frames = [];
  await new Promise((done) => requestAnimationFrame(function frame(now) {
    frames.push(now);
    const at = frames.length / 20;
    send("pointermove", 200 + 100 * Math.sin(at), 200 + 50 * Math.cos(at));
    if (performance.now() - begin < 1000 * seconds) requestAnimationFrame(frame); else done();
  }));
  send("pointerup", 200, 200);
  return frames;
}"""


@contextlib.contextmanager
def started(*words):
    """Start a command that serves; give the process, its address, and when it began."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lowerbound.cli", *words], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip(), begin
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def processor():
    """Seconds of processor that the living processes below this one took."""
    parents, ticks = {}, {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = place.read_text().rpartition(")")[2].split()
            parents[int(place.parent.name)] = int(words[1])
            ticks[int(place.parent.name)] = int(words[11]) + int(words[12])

    def below(pid):
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, 0)
        return pid == os.getpid()

    found = sum(count for pid, count in ticks.items() if below(pid))
    return found / os.sysconf("SC_CLK_TCK")


def percentiles(values):
    return {"median": round(statistics.median(values), 4),
            "p95": round(float(np.quantile(values, 0.95)), 4),
            "largest": round(max(values), 4)}  # fmt: skip


def start(browser, run):
    """Seconds from the command until the page is there, and until the map is drawn.

    Beside them the processor's seconds, of server and browser, until the page is there: on a
    machine that others share, what the wall clock says is theirs as well.
    """
    there, drawn, busy = [], [], []
    for _ in range(STARTS):
        page, before = browser.new_page(), processor()
        with started("explore", run, "--no-browser") as (_, address, begin):
            page.goto(address, wait_until="load")
            there.append(time.perf_counter() - begin)
            busy.append(processor() - before)
            page.wait_for_selector("body[data-ready]", timeout=120_000)
            drawn.append(time.perf_counter() - begin)
            page.close()
    return {"page_s": percentiles(there), "map_s": percentiles(drawn),
            "processor_s_until_page": percentiles(busy)}  # fmt: skip


def drag(browser, run):
    """Milliseconds from a move of the hand until its picture is there, alone and while scoring."""
    with started("explore", run, "--no-browser") as (_, address, _):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_selector("#decoded > *", timeout=120_000)
        before = processor()
        alone = page.evaluate(DRAG, MOVES)
        busy = processor() - before
        page.evaluate(
            "(token) => { fetch(`/api/odd?token=${token}`).then(() => { window.scored = 1; }); }",
            address.partition("token=")[2],
        )
        beside = page.evaluate(DRAG, MOVES)
        over = page.evaluate("window.scored === 1")
        page.close()
    return {"moves": MOVES, "ms": percentiles(alone),
            "processor_ms_a_move": round(1000 * busy / MOVES, 1),
            "ms_while_scoring": percentiles(beside), "scoring_ended_before": over}  # fmt: skip


def pan(browser, run):
    """Frames a second while 50,000 points are moved by hand."""
    with started("explore", run, "--no-browser") as (_, address, _):
        page = browser.new_page(viewport={"width": 1280, "height": 900})

        def many(route):
            told = route.fetch().json()
            rng = np.random.default_rng(0)
            told["points"] = rng.normal(size=(POINTS, 2)).round(5).tolist()
            classes = rng.integers(0, 10, POINTS).tolist()
            told["colours"] = {"class": {"names": list("abcdefghij"), "values": classes}}
            told["names"] = None
            route.fulfill(json=told)

        page.route("**/api/map", many)
        page.goto(address)
        page.wait_for_selector("body[data-ready]", timeout=120_000)
        page.wait_for_timeout(1000)
        frames = np.array(page.evaluate(PAN, PAN_SECONDS))
        page.close()
    rate = (len(frames) - 1) * 1000 / np.ptp(frames)
    return {"points": POINTS, "frames_a_second": round(float(rate), 1),
            "ms_between_frames": percentiles(np.diff(frames).tolist())}  # fmt: skip


def resident(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def contents(run):
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(Path(run).rglob("*")) if path.is_file()}  # fmt: skip


def crowd(run, seconds):
    """200 clients at once: answers, memory, the end by SIGTERM, and what a kill leaves behind."""
    before = contents(run)
    with started("serve", run, "--port", "0") as (process, address, _):
        units = units_of(address)
        counts, memory = {"sent": 0, "answered": 0, "lost": 0, "refused": 0}, []

        async def client(way, number, stop):
            bodies = [("decode", {"latents": [[0.01 * number] * units]}),
                      ("generate", {"count": 1, "seed": number})]  # fmt: skip
            while time.monotonic() < stop:
                use, body = bodies[counts["sent"] % 2]
                counts["sent"] += 1
                try:
                    answer = await way.post(f"{address}api/{use}", json=body)
                    right = answer.status_code == 200 and len(answer.json()["examples"]) == 1
                    counts["answered" if right else "refused"] += 1
                except httpx.HTTPError:
                    counts["lost"] += 1

        async def watch(stop):
            while time.monotonic() < stop:
                memory.append(resident(process))
                await asyncio.sleep(1)

        async def all_of_them():
            limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
            async with httpx.AsyncClient(limits=limits, timeout=120) as way:
                stop = time.monotonic() + seconds
                await asyncio.gather(watch(stop), *(client(way, n, stop) for n in range(CLIENTS)))

        async def ended():
            # what was sent before the signal is answered, and the process ends
            limits = httpx.Limits(max_connections=CLIENTS)
            async with httpx.AsyncClient(limits=limits, timeout=120) as way:
                body = {"latents": [[0.0] * units]}
                calls = [asyncio.ensure_future(way.post(f"{address}api/decode", json=body))
                         for _ in range(CLIENTS)]  # fmt: skip
                await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                begun = waiting_of(await way.get(f"{address}metrics"))
                process.send_signal(signal.SIGTERM)
                found = await asyncio.gather(*calls, return_exceptions=True)
                return begun, sum(getattr(one, "status_code", 0) == 200 for one in found)

        asyncio.run(all_of_them())
        begun, answered = asyncio.run(ended())
        code = process.wait(60)
    with started("serve", run, "--port", "0") as (process, address, _):
        httpx.get(f"{address}api/about", timeout=60)
        process.kill()
        process.wait()
    third = len(memory) // 3
    return {"clients": CLIENTS, "seconds": seconds, **counts,
            "answers_a_second": round(counts["answered"] / seconds),
            "resident_mb": {"first_third": max(memory[:third]), "last_third": max(memory[-third:])},
            "end": {"waiting_at_the_signal": begun, "answered": answered, "exit_code": code},
            "run_untouched": contents(run) == before}  # fmt: skip


def units_of(address):
    spaces = httpx.get(f"{address}api/about", timeout=60).json()["latents"]
    return sum(int(np.prod(shape)) for shape in spaces.values())


def waiting_of(answer):
    return int(answer.text.splitlines()[0].split()[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", default="start,drag,pan,crowd")
    told = parser.parse_args()
    wanted, found = told.only.split(","), {}
    there = results.DIRECTORY / "web.json"
    if there.exists():
        kept = json.loads(there.read_text())
        found = {name: kept[name] for name in ("start", "drag", "pan", "crowd") if name in kept}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core for all of it
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, measure in (("start", start), ("drag", drag), ("pan", pan)):
            if name in wanted:
                found[name] = {**measure(browser, told.run), "load_average": os.getloadavg()[0]}
                print(name, found[name], flush=True)
        browser.close()
    if "crowd" in wanted:
        found["crowd"] = {**crowd(told.run, told.seconds), "load_average": os.getloadavg()[0]}
        print("crowd", found["crowd"])
    results.write("web", found)


if __name__ == "__main__":
    main()
