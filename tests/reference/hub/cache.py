"""What huggingface_hub (run with 1.33.0, Python 3.12) makes of tests/plugins/lm/hub/mock_hub.py: cache.txt, a cache in lines.

usage: cache.py                  prints it
       cache.py HUB_TOOL         and looks whether each tool can use the other's cache with no hub there
"""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "plugins/lm/hub"))
import mock_hub  # noqa: E402

SKIPPED = ["*.py", "*.bin", "original/*"]


def with_theirs(cache, endpoint, offline=False):
    code = f"import huggingface_hub as h; print(h.snapshot_download('org/tiny', ignore_patterns={SKIPPED!r}))"
    environment = {"PATH": os.environ["PATH"], "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint,
                   "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                   **({"HF_HUB_OFFLINE": "1"} if offline else {})}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True).stdout.strip()


def with_ours(tool, cache, endpoint, offline=False):
    environment = {"PATH": os.environ["PATH"], "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint,
                   **({"HF_HUB_OFFLINE": "1"} if offline else {})}
    return subprocess.run([tool, "fetch", "hf:org/tiny"], env=environment, check=True, capture_output=True, text=True).stdout


def main():
    hub = mock_hub.Hub()
    with tempfile.TemporaryDirectory() as scratch:
        theirs, ours = pathlib.Path(scratch, "theirs"), pathlib.Path(scratch, "ours")
        with_theirs(theirs, hub.endpoint)
        text = mock_hub.listing(theirs)
        sys.stdout.write(text)
        if len(sys.argv) > 1:
            with_ours(sys.argv[1], ours, hub.endpoint)
            assert mock_hub.listing(ours) == text, mock_hub.listing(ours)
            hub.seen.clear()
            assert with_theirs(ours, hub.endpoint, offline=True).startswith(str(ours))
            assert f"commit {mock_hub.COMMIT}" in with_ours(sys.argv[1], theirs, hub.endpoint, offline=True)
            assert not hub.seen
            sys.stderr.write("each uses the other's cache\n")


if __name__ == "__main__":
    main()
