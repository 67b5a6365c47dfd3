"""wrk, a load generator in C: a client in Python would be slower than the server that it measures."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from experiments.bench.service.server import pinned

CONNECTIONS = 16
QUERY = "base_lr=0.1&T_0=10&T_mult=2&eta_min=0.0001&step=37"
OTHER_EACH_TIME = """
local count = 0
request = function()
  count = count + 1
  local varied = "&T_0=" .. (1 + count % 5000) .. "&step=" .. (count * 37 % 100000)
  return wrk.format("GET", wrk.path .. "?base_lr=0.1&T_mult=2&eta_min=0.0001" .. varied)
end
"""
"""Another T_0 and step at every request: more of them than the service keeps the cycles of."""
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Load:
    """One run."""

    per_second: float
    p99: float
    """Milliseconds."""
    requests: int


def load(url: str, seconds: float, core: int | None = None, script: Path | None = None) -> Load:
    """`CONNECTIONS` connections, each with one request at a time, for whole seconds.

    Raises RuntimeError where wrk is missing, or any answer is not 2xx or does not come.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not on the PATH; install Debian's package wrk")
    scripted = [] if script is None else ["--script", str(script)]
    command = [*pinned(core), "wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--latency"]
    command += ["--duration", f"{max(1, round(seconds))}s", *scripted, url]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"wrk on {url}: exit {ran.returncode}\n{ran.stderr[-1000:]}")
    return parsed(ran.stdout)


def parsed(text: str) -> Load:
    """What wrk prints. Raises RuntimeError where it tells of errors, or is not understood."""
    errors = re.search(r"(Non-2xx|Socket errors).*", text)
    if errors:
        raise RuntimeError(f"wrk: {errors[0].strip()}")
    latency = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    sent = re.search(r"^\s*(\d+) requests in", text, re.MULTILINE)
    if latency is None or rate is None or sent is None:
        raise RuntimeError(f"wrk printed something else than expected: {text[-500:]!r}")
    return Load(float(rate[1]), float(latency[1]) * _UNITS[latency[2]], int(sent[1]))
