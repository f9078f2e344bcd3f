import io
import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
import simplejpeg
import torch
from mmengine import fileio
from PIL import Image, ImageOps
from torchvision import transforms

from reidkit.data.decode import decode_rgb, decode_stored, limit_pixels, load_into, read_bytes
from reidkit.data.orientation import orientation_of
from reidkit.errors import UserError

RNG = np.random.default_rng(5)
SMOOTH = cv2.resize(RNG.integers(0, 256, (8, 4, 3), np.uint8), (32, 64))
JPEG = simplejpeg.encode_jpeg(SMOOTH, quality=92)
END = "; restore it from its archive, or remove it and list the data set again"


def packed(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def test_lossless_formats_give_the_pixels_back():
    for format in ("PNG", "BMP", "TIFF"):
        assert np.array_equal(decode_rgb(packed(Image.fromarray(SMOOTH), format)), SMOOTH)


def test_jpeg_agrees_with_pil():
    reference = np.asarray(Image.open(io.BytesIO(JPEG)).convert("RGB"))
    assert np.abs(decode_rgb(JPEG).astype(int) - reference).max() <= 1


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "LA"])
def test_other_colour_modes_become_rgb(mode):
    format = "JPEG" if mode in ("L", "CMYK") else "PNG"
    image = Image.fromarray(SMOOTH).convert(mode)
    found = decode_rgb(packed(image, format)).astype(int)
    assert found.shape == SMOOTH.shape
    assert np.abs(found - np.asarray(image.convert("RGB"))).mean() < 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_tag_says(orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = dict(lossless=True) if format == "WEBP" else {}
    data = packed(Image.fromarray(SMOOTH), format, exif=exif, **options)
    stored = Image.open(io.BytesIO(data))
    turned = stored if format == "TIFF" else ImageOps.exif_transpose(stored)  # PIL turns TIFF
    wanted = np.asarray(turned.convert("RGB")).astype(int)
    assert np.abs(decode_rgb(data) - wanted).max() <= (1 if format == "JPEG" else 0)
    out = np.empty((*wanted.shape[:2], 3), np.uint8)
    for resize in ("cv2", "pil"):
        assert load_into(out, data, resize=resize) == wanted.shape[:2]
        assert np.abs(out - wanted).max() <= (1 if format == "JPEG" else 0)


def test_only_tagged_files_are_parsed(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("parsed"))
    assert orientation_of(JPEG) == 1 and decode_rgb(JPEG).shape == SMOOTH.shape


def test_stray_bytes_in_a_jpeg_are_forgiven():
    assert decode_rgb(JPEG + b"\0\0\0").shape == (64, 32, 3)
    middle = JPEG.index(b"\xff\xdb")
    stray = JPEG[:middle] + b"\0\0" + JPEG[middle:]
    assert decode_rgb(stray).shape == (64, 32, 3)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("resize", ["cv2", "pil"])
def test_truncated_files_are_refused_by_name(share, format, resize):
    data = packed(Image.fromarray(SMOOTH), format)
    cut = data[: int(len(data) * share)]
    with pytest.raises(UserError) as error:
        load_into(np.empty((8, 4, 3), np.uint8), cut, "query/0001_c1.jpg", resize)
    text = str(error.value)
    assert text.startswith(("query/0001_c1.jpg: it is damaged (", "query/0001_c1.jpg: it is no"))
    assert text.endswith(END)


def test_a_truncated_png_is_one_line_without_noise_from_libraries(capfd):
    data = packed(Image.fromarray(SMOOTH), "PNG")
    with pytest.raises(UserError, match="it is damaged"):
        decode_rgb(data[: len(data) // 2])
    assert capfd.readouterr().err == ""


def test_exact_texts_for_files_that_are_no_images():
    for data, reason in ((b"", "the file is empty"), (b"<html>404</html>", "it is no image")):
        with pytest.raises(UserError) as error:
            decode_rgb(data, "a/b.jpg")
        assert str(error.value) == f"a/b.jpg: {reason}{END}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError) as error:
        read_bytes(tmp_path / "no.jpg")
    assert str(error.value) == (
        f"{tmp_path}/no.jpg: cannot be read (No such file or directory); restore the file from its "
        "archive, or remove it and list the data set again"
    )


def test_addresses_go_through_mmengine(tmp_path):
    @fileio.register_backend("shelf", prefixes="shelf", force=True)
    class Shelf(fileio.LocalBackend):
        def get(self, filepath):
            return super().get(tmp_path / str(filepath).removeprefix("shelf://"))

    (tmp_path / "a.jpg").write_bytes(JPEG)
    assert read_bytes(tmp_path / "a.jpg") == JPEG
    assert read_bytes("shelf://a.jpg") == JPEG
    with pytest.raises(UserError, match=r"shelf://b.jpg: cannot be read \(No such file"):
        read_bytes("shelf://b.jpg")
    with pytest.raises(UserError, match=r"^gopher://a.jpg: cannot be read \(no file backend for"):
        read_bytes("gopher://a.jpg")


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (24, 8), (37, 91)])
def test_pil_mode_is_torchvision_to_the_byte(size):
    out = np.empty((*size, 3), np.uint8)
    load_into(out, JPEG, resize="pil")
    pil = Image.open(io.BytesIO(JPEG)).convert("RGB")
    assert np.array_equal(out, np.asarray(transforms.Resize(size)(pil)))
    normalised = transforms.ToTensor()(transforms.Resize(size)(pil))
    assert torch.equal(torch.from_numpy(out).permute(2, 0, 1) / 255, normalised)


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (24, 8)])
def test_fast_mode_is_opencv_bilinear_in_place(size):
    out = np.zeros((3, *size, 3), np.uint8)
    assert load_into(out[1], JPEG) == (64, 32)
    assert np.array_equal(out[1], cv2.resize(decode_rgb(JPEG), size[::-1]))
    assert not out[0].any() and not out[2].any()


@pytest.mark.parametrize("resize", ["cv2", "pil"])
def test_boxes_cut_before_resizing(resize):
    data = packed(Image.fromarray(SMOOTH), "PNG")
    out = np.empty((20, 10, 3), np.uint8)
    box = np.array([3.0, 7.0, 10.0, 20.0])
    assert load_into(out, data, resize=resize, box=box) == (20, 10)
    assert np.array_equal(out, SMOOTH[7:27, 3:13])
    assert load_into(out, data, resize=resize, box=np.array([-4, 60, 10, 20])) == (4, 6)
    with pytest.raises(UserError) as error:
        load_into(out, data, "a.png", resize, np.array([32, 0, 5, 5]))
    assert str(error.value) == (
        "a.png: the box x=32 y=0 5x5 lies outside the image of 32x64; correct the annotation"
    )


def claiming(format, width, height):
    """A small file whose header claims another size."""
    data = bytearray(packed(Image.fromarray(SMOOTH), format))
    if format == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif format == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
        place = data.index(b"\x2c", 13 + 768)
        data[place + 5 : place + 9] = struct.pack("<HH", width, height)
    return bytes(data)


@pytest.mark.parametrize("resize", ["cv2", "pil"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_asked_for(format, resize):
    data = claiming(format, 65_000, 65_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), hard))  # 256 MiB more
    try:
        with pytest.raises(UserError, match=r"a.jpg: claims 4,225,000,000 pixels, more than"):
            load_into(np.empty((8, 4, 3), np.uint8), data, "a.jpg", resize)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.slow
def test_a_large_picture_of_zeros_is_refused_as_well(tmp_path):
    packed_rows = zlib.compress(bytes(20_001) * 20_000, 9)

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", packed_rows), chunk(b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    for resize in ("cv2", "pil"):
        with pytest.raises(UserError, match=r"claims 400,000,000 pixels"):
            load_into(np.empty((8, 4, 3), np.uint8), data, "a.png", resize)


def test_the_limit_is_a_setting(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), SMOOTH)
    limit_pixels(SMOOTH.shape[0] * SMOOTH.shape[1] - 1)
    try:
        for read in (lambda: decode_rgb(JPEG, "a"), lambda: decode_stored(tmp_path / "a.png")):
            with pytest.raises(UserError, match="claims 2,048 pixels, more than settings.max_p"):
                read()
    finally:
        limit_pixels(100_000_000)
    assert decode_rgb(JPEG).shape == SMOOTH.shape
    assert np.array_equal(decode_stored(tmp_path / "a.png"), SMOOTH)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "a.jpg"
    make = {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}
    make[kind](path)
    with pytest.raises(UserError, match=r"a.jpg: cannot be read \((it is a .*, no file|Is a dir)"):
        read_bytes(path)


def claimed_size(data, height, width):
    place = data.index(b"\xff\xc0") + 5
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return data[:place] + size + data[place + 4 :]


@pytest.mark.parametrize("resize", ["cv2", "pil"])
def test_a_jpeg_whose_data_ends_early_is_refused(resize):
    out = np.empty((8, 4, 3), np.uint8)
    height, width = SMOOTH.shape[:2]
    for data in (
        claimed_size(JPEG, 10 * height, 20 * width),
        claimed_size(JPEG, height + 16, width),
        JPEG[: len(JPEG) // 2] + b"\xff\xd9",
        JPEG[: len(JPEG) // 2],
        JPEG[:-2],
    ):
        with pytest.raises(UserError, match=r"^a.jpg: it is damaged"):
            load_into(out, data, "a.jpg", resize)
    for data in (JPEG + b"trailing", JPEG[:2] + b"\xff\xe1\0\4ab" + JPEG[2:]):
        load_into(out, data, "a.jpg", resize)


@pytest.mark.parametrize("ending", [".png", ".tif", ".pgm"])
def test_sixteen_bits_are_the_same_grey_in_both_ways(ending):
    ramp = np.linspace(0, 65535, 64 * 32).reshape(64, 32).astype(np.uint16)
    data = cv2.imencode(ending, ramp)[1].tobytes()
    out = np.empty((64, 32, 3), np.uint8)
    for resize in ("cv2", "pil"):
        load_into(out, data, resize=resize)
        assert np.abs(out - (ramp // 257)[..., None].astype(int)).max() <= 1, resize


@pytest.mark.parametrize("resize", ["cv2", "pil"])
def test_pixels_without_a_known_range_are_refused(resize, tmp_path):
    out = np.empty((4, 4, 3), np.uint8)
    for mode, reason in (("F", "floating-point numbers"), ("I", "numbers of 32 bits")):
        image = Image.new(mode, (4, 4), 0.5 if mode == "F" else 1 << 20)
        image.save(tmp_path / "a.tif")
        with pytest.raises(UserError, match=f"a.tif: it holds {reason}"):
            load_into(out, (tmp_path / "a.tif").read_bytes(), "a.tif", resize)
