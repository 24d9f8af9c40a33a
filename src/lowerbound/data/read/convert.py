"""Formats that are not read: the line that says how their numbers are saved in one that is."""

CONVERT = {
    (".xlsx", ".xls", ".ods"): "save its sheet as CSV, or: "
    "import pandas; pandas.read_excel({0!r}).to_csv('data.csv', index=False)",
    (".h5", ".hdf5", ".he5"): "import h5py, numpy; "
    "numpy.save('data.npy', h5py.File({0!r})['NAME'][()])",
    (".mat",): "import scipy.io, numpy; numpy.save('data.npy', scipy.io.loadmat({0!r})['NAME'])",
    (".nii",): "import nibabel, numpy; "
    "numpy.save('data.npy', nibabel.load({0!r}).get_fdata().transpose(2, 0, 1))",
    (".dcm",): "import pydicom, numpy; "
    "numpy.save('slice.npy', pydicom.dcmread({0!r}).pixel_array), and give the folder of slices",
    (".sav", ".dta", ".sas7bdat", ".rds", ".rdata"): "save it as CSV in the program that made it",
    (".svg", ".pdf", ".eps"): "save it as PNG",
    (".mp4", ".avi", ".mov", ".mkv"): "ffmpeg -i {0!r} frames/%05d.png, and give the folder",
    (".wav", ".mp3", ".flac", ".ogg"): "save its spectrograms or windows as a .npy array",
    (".7z", ".rar", ".xz", ".bz2", ".zst"): "unpack it first",
}

FILES = (
    ".npy, .npz, .csv, .tsv, .parquet, .feather, .jsonl, .safetensors, .zip, .tar, .mid, or a "
    "folder of pictures, arrays, tables or tunes"
)
RISKY = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")


def refusal(name: str, suffix: str) -> str:
    """Say why a file, whose ending is `suffix` without that of gzip, is not read; what to do."""
    if suffix in RISKY:
        return f"{name!r} may run code when it is loaded; save its numbers as .npy"
    if "ubyte" in name:
        return f"{name!r} is one IDX file; give the folder that holds it"
    for endings, how in CONVERT.items():
        if suffix in endings:
            return f"{name!r}: {suffix} files are not read; convert it: {how.format(name)}"
    return f"{name!r} is of no kind that can be read; give {FILES}"
