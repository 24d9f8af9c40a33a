"""The official files of MNIST and Fashion-MNIST: their addresses and their checksums."""

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

TIMEOUT = 20.0
LARGEST = 100 * 2**20
FILES = {
    "train-images": "train-images-idx3-ubyte.gz",
    "train-labels": "train-labels-idx1-ubyte.gz",
    "t10k-images": "t10k-images-idx3-ubyte.gz",
    "t10k-labels": "t10k-labels-idx1-ubyte.gz",
}


class Official(NamedTuple):
    """Addresses to try in order, and the sha256 of each file's contents after gzip."""

    hosts: tuple[str, ...]
    sums: Mapping[str, str]


FASHION_FILES = Official(
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    {
        "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)
MNIST_FILES = Official(
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)


def cache_folder(name: str) -> Path:
    """Name the place of what is kept: `~/.cache/lowerbound/NAME`, or below `XDG_CACHE_HOME`."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root) / "lowerbound" / name


def matches(path: Path, sha256: str) -> bool:
    """Whether the file's contents, after gzip, have this sum."""
    digest = hashlib.sha256()
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == sha256


def fetch(name: str, official: Official) -> Path:
    """Download a set's four files, unless they are in the cache, and return their folder.

    A file gets its name only after its sum was found right, so an interrupted download leaves
    nothing that could be mistaken for data.

    Raises:
        OSError: No host gave the right files.
    """
    folder = cache_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    for key, file in FILES.items():
        if not (folder / file).is_file():
            _fetch_file(folder / file, official.hosts, official.sums[key])
    return folder


def _fetch_file(target: Path, hosts: tuple[str, ...], sha256: str) -> None:
    failure = "no host"
    for host in hosts:
        handle, draft = tempfile.mkstemp(dir=target.parent, suffix=".gz")
        try:
            address = host + target.name
            with os.fdopen(handle, "wb") as out, urlopen(address, timeout=TIMEOUT) as answer:
                out.write(answer.read(LARGEST))
            if matches(Path(draft), sha256):
                os.replace(draft, target)
                return
            failure = f"{target.name} from {host.split('/')[2]} has a wrong checksum"
        except (OSError, ValueError) as error:
            failure = f"{host.split('/')[2]}: {error}"
        finally:
            Path(draft).unlink(missing_ok=True)
    raise OSError(failure)
