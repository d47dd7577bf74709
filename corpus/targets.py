"""Writes targets.txt: markers and wheel tags as `packaging` judges them.

Run as `python corpus/targets.py > corpus/targets.txt` with packaging 26.3.
"""

import sys
from importlib.metadata import version

from packaging import tags
from packaging.markers import Marker

PLATFORMS = {
    "x86_64-unknown-linux-gnu": ("posix", "linux", "Linux", "x86_64"),
    "aarch64-unknown-linux-gnu": ("posix", "linux", "Linux", "aarch64"),
    "x86_64-pc-windows-msvc": ("nt", "win32", "Windows", "AMD64"),
    "aarch64-apple-darwin": ("posix", "darwin", "Darwin", "arm64"),
    "x86_64-apple-darwin": ("posix", "darwin", "Darwin", "x86_64"),
}
PYTHONS = ["3.10.14", "3.11.9", "3.12.0", "3.13.1", "3.14.2"]
LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}

MARKERS = """
python_version == '3.12'
python_version != '3.12'
python_version < '3.12'
python_version <= '3.12'
python_version > '3.9'
python_version >= '3.10'
python_version >= '3.12' and python_version < '3.14'
python_version > '3.10' and python_version != '3.13'
python_version ~= '3.11'
python_version ~= '3.12.0'
python_version ~= '3.0'
(python_version ~= '3.12.0')
sys_platform == 'win32' or python_version ~= '3.10.0' and os_name == 'posix'
implementation_version ~= '3.11.0'
python_version === '3.11'
python_version == '3'
python_version >= '3.12.0'
python_version > '3.12.0'
python_version < '3.12.0'
python_version != '3.12.0'
python_version in '3.10, 3.11'
python_version not in '3.12,3.13'
python_full_version in '3.10.14 3.11.9'
sys_platform in 'win32,darwin'
python_version == '3.*'
python_version == '3.1.*'
python_version == '3.12.*'
python_version != '3.12.*'
python_version >= '3'
python_version < '4'
python_version < '3.12.1'
python_version > '3.11.5'
python_version >= '3.11.5'
python_version <= '3.11.5'
python_version == '3.11.0'
python_version == '3.11.9'
python_version in '3.10 3.11'
python_version in '3.11'
python_version not in '3.10 3.11'
'3.12' <= python_version
'3.12' > python_version
python_full_version == '3.12.0'
python_full_version == '3.12'
python_full_version != '3.11.9'
python_full_version < '3.12.1'
python_full_version <= '3.12'
python_full_version > '3.12'
python_full_version >= '3.11.9'
python_full_version ~= '3.13.0'
python_full_version == '3.11.*'
python_full_version < '3.13.0a1'
python_full_version >= '3.13.0rc1'
implementation_version >= '3.12'
implementation_version < '3.11'
sys_platform == 'linux'
sys_platform == 'win32'
sys_platform == 'darwin'
sys_platform != 'win32'
sys_platform == 'linux2'
sys_platform in 'linux darwin'
sys_platform not in 'linux darwin'
sys_platform in 'win32'
'linux' in sys_platform
'win' in sys_platform
'win' not in sys_platform
'darwin' == sys_platform
platform_system == 'Linux'
platform_system == 'Windows'
platform_system == 'Darwin'
platform_system == 'linux'
platform_system != 'Darwin'
os_name == 'nt'
os_name == 'posix'
os_name != 'nt'
platform_machine == 'x86_64'
platform_machine == 'AMD64'
platform_machine == 'amd64'
platform_machine == 'arm64'
platform_machine == 'aarch64'
platform_machine != 'arm64'
platform_machine in 'x86_64 AMD64'
platform_machine not in 'arm64 aarch64'
'64' in platform_machine
platform_python_implementation == 'CPython'
platform_python_implementation != 'PyPy'
platform_python_implementation == 'PyPy'
implementation_name == 'cpython'
implementation_name == 'pypy'
implementation_name != 'pypy'
os.name == 'nt'
sys.platform == 'linux'
platform.machine == 'arm64'
platform.python_implementation == 'CPython'
python_implementation == 'CPython'
sys_platform == 'linux' and platform_machine == 'x86_64'
sys_platform == 'darwin' and platform_machine == 'arm64'
sys_platform == 'win32' or platform_machine == 'arm64'
platform_system == 'Linux' and platform_machine == 'x86_64' and python_version < '3.13'
(sys_platform == 'win32' or sys_platform == 'darwin') and python_version >= '3.12'
sys_platform == 'win32' or sys_platform == 'darwin' and python_version >= '3.12'
python_version < '3.11' or (python_version >= '3.13' and sys_platform != 'linux')
sys_platform == "linux" and platform_machine != 'aarch64'
extra == 'gpu'
extra == 'gpu' or sys_platform == 'linux'
extra != 'gpu'
extra == 'gpu' and python_version >= '3.12'
""".strip().splitlines()

WHEELS = """
py3-none-any py2.py3-none-any py2-none-any py30-none-any py310-none-any py312-none-any py314-none-any py315-none-any
cp310-none-any cp312-none-any cp3-none-any cp312-cp312-any cp312-abi3-any cp38-abi3-any py3-abi3-any py312-cp312-any
pp310-none-any py3-none-linux_x86_64 py3-none-manylinux_2_17_x86_64 py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64
py3-none-manylinux1_x86_64 py3-none-manylinux2010_x86_64 py3-none-manylinux_2_28_x86_64 py3-none-manylinux_2_29_x86_64
py3-none-manylinux_2_4_x86_64 py3-none-manylinux_2_5_x86_64 py3-none-manylinux2014_aarch64 py3-none-manylinux_2_16_aarch64
py3-none-manylinux_2_28_aarch64 py3-none-manylinux1_aarch64 py3-none-linux_aarch64 py3-none-musllinux_1_2_x86_64
py3-none-win_amd64 py3-none-win32 py3-none-win_arm64 py3-none-macosx_10_9_x86_64 py3-none-macosx_10_3_x86_64
py3-none-macosx_10_4_universal py3-none-macosx_10_9_universal2 py3-none-macosx_10_16_x86_64 py3-none-macosx_11_0_arm64
py3-none-macosx_11_0_universal2 py3-none-macosx_10_9_arm64 py3-none-macosx_12_0_x86_64 py3-none-macosx_12_3_arm64
py3-none-macosx_13_0_arm64 py3-none-macosx_13_0_x86_64 py3-none-macosx_14_0_arm64 py3-none-macosx_10_6_intel
py3-none-macosx_11_0_intel py3-none-macosx_10_4_fat3 py3-none-macosx_10_5_fat64 py310-none-macosx_11_0_arm64 py313-none-win_amd64
cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64 cp311-cp311-manylinux_2_28_x86_64 cp312-cp312-manylinux_2_28_x86_64
cp312-cp312-manylinux2014_x86_64 cp312-cp312-linux_x86_64 cp312-abi3-manylinux_2_17_x86_64 cp312-none-manylinux_2_17_x86_64
cp39-abi3-manylinux_2_17_x86_64 cp32-abi3-manylinux1_x86_64 cp31-abi3-manylinux1_x86_64 cp37-abi3-manylinux_2_28_aarch64
cp39.cp310.cp311-abi3-manylinux_2_17_x86_64 cp39-none-manylinux_2_17_x86_64 cp313-cp313t-manylinux_2_28_x86_64
cp313-cp313-manylinux_2_34_x86_64 cp312-cp312-win_amd64 cp39-abi3-win_amd64 cp312-cp312-win32 cp311-none-win_amd64
cp312-cp312-macosx_10_13_x86_64 cp312-cp312-macosx_10_13_universal2 cp312-cp312-macosx_11_0_arm64
cp310-abi3-macosx_10_12_x86_64.macosx_11_0_arm64.macosx_10_12_universal2 cp314-cp314-macosx_11_0_arm64
cp310-cp310-manylinux2014_aarch64 cp314-cp314-manylinux_2_28_aarch64 cp312-cp312d-manylinux_2_28_x86_64
cp312-cp312m-manylinux_2_28_x86_64 pp310-pypy310_pp73-manylinux_2_28_x86_64
""".split()


def platforms(triple):
    if "linux" in triple:
        machine = triple.split("-")[0]
        least = 5 if machine == "x86_64" else 17
        for minor in range(28, least - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in LEGACY:
                yield f"{LEGACY[minor]}_{machine}"
        yield f"linux_{machine}"
    elif "windows" in triple:
        yield "win_amd64"
    else:
        yield from tags.mac_platforms((13, 0), "arm64" if triple.startswith("aarch64") else "x86_64")


def supported(triple, python):
    minor = tuple(map(int, python.split(".")[:2]))
    own = f"cp{minor[0]}{minor[1]}"
    return [
        *tags.cpython_tags(minor, [own], list(platforms(triple))),
        *tags.compatible_tags(minor, own, list(platforms(triple))),
    ]


def code(tag):
    return f"{tag.interpreter}-{tag.abi}"


def main():
    targets = [(triple, python) for triple in PLATFORMS for python in PYTHONS]
    print(f"# Made by targets.py with packaging {version('packaging')}, Python {sys.version.split()[0]}.")
    print("# Targets are all platforms with all Pythons, in this order.")
    print("# platforms:", *PLATFORMS)
    print("# pythons:", *PYTHONS)
    print("# Markers, each with a digit per target: 1 where it holds.")
    for marker in MARKERS:
        digits = ""
        for triple, python in targets:
            os_name, sys_platform, system, machine = PLATFORMS[triple]
            digits += str(int(Marker(marker).evaluate({
                "implementation_name": "cpython",
                "implementation_version": python,
                "os_name": os_name,
                "platform_machine": machine,
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_system": system,
                "platform_version": "",
                "python_full_version": python,
                "python_version": python.rpartition(".")[0],
                "sys_platform": sys_platform,
                "extra": "",
            })))
        print(f"marker\t{marker}\t{digits}")
    print("# Tags of wheels, by number from 0.")
    print("wheels\t" + " ".join(WHEELS))
    print("# Tags of platforms, and codes of Pythons beside them and beside `any`, best first.")
    for triple in PLATFORMS:
        print(f"platform\t{triple}\t" + " ".join(platforms(triple)))
    for python in PYTHONS:
        order = supported(next(iter(PLATFORMS)), python)
        beside = list(dict.fromkeys(code(tag) for tag in order if tag.platform != "any"))
        print(f"beside\t{python}\t" + " ".join(beside))
        print(f"any\t{python}\t" + " ".join(code(tag) for tag in order if tag.platform == "any"))
        for triple in PLATFORMS:
            # The whole list is these codes with all platforms each, then those beside `any`.
            order = supported(triple, python)
            native = [tag for tag in order if tag.platform != "any"]
            assert [str(tag) for tag in native] == [f"{one}-{place}" for one in beside for place in platforms(triple)]
            assert order[:len(native)] == native
    print("# Targets, each with the wheels that fit, best first; `=` joins those that fit alike.")
    for triple, python in targets:
        order = supported(triple, python)
        places = {tag: place for place, tag in reversed(list(enumerate(order)))}
        fits = {}
        for number, wheel in enumerate(WHEELS):
            ranks = [places[tag] for tag in tags.parse_tag(wheel) if tag in places]
            if ranks:
                fits.setdefault(min(ranks), []).append(str(number))
        print(f"fits\t{triple}@{python}\t" + " ".join("=".join(fits[rank]) for rank in sorted(fits)))


main()
