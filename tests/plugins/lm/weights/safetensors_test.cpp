#include "plugins/lm/weights/safetensors.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/refusal.h"
#include "tests/plugins/lm/weights/tensor_text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <fstream>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(STILLROOM_REFERENCE) / "safetensors/golden.safetensors";

std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return fmt::format(
        R"("a":{{"dtype":"{}","shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

/// What is said of a header in front of so many bytes, without the file's name.
std::string said_of(std::string_view header, std::size_t data_bytes) {
    std::string text = refusal_of([&] { read_safetensors_header(header, data_bytes, "F"); });
    const std::string begin = "3: cannot read F: ";
    if (text.starts_with(begin))
        text.erase(0, begin.size());
    if (std::size_t colon = text.find(": "); text.starts_with("header byte "))
        text.erase(0, colon + 2);
    return text;
}

std::string said_of_tensor(std::string_view dtype,
                           std::string_view shape,
                           std::string_view offsets,
                           std::size_t data_bytes) {
    return said_of("{" + one(dtype, shape, offsets) + "}", data_bytes);
}

TEST_CASE("a file that the format's own library wrote is read") {
    TensorFile file = TensorFile::open(kGolden);
    REQUIRE(file.tensors().size() == 12);
    CHECK(file.tensors().front().name == "ids");
    CHECK(file.tensors().back().name == "flags");
    REQUIRE(file.metadata().size() == 1);
    CHECK(file.metadata()[0] == std::pair<std::string, std::string>("format", "pt"));

    const TensorInfo& ids = file.at("ids");
    CHECK(ids.dtype == Dtype::i64);
    CHECK(ids.shape == Shape{2, 3});
    std::int64_t values[6];
    std::memcpy(values, file.bytes(ids).data(), 48);
    CHECK(values[0] == -2);
    CHECK(values[5] == 3);

    const TensorInfo& norm = file.at("norm.weight");
    CHECK(norm.dtype == Dtype::f32);
    float third = 0;
    std::memcpy(&third, file.bytes(norm).data() + 8, 4);
    CHECK(third == HUGE_VALF);

    CHECK(file.at("double").shape.empty());
    CHECK(file.at("double").bytes == 8);
    CHECK(file.bytes(file.at("empty")).empty());
    CHECK(text_of(file.bytes(file.at("bytes"))) == std::string_view("\0\1\2\3\4", 5));
    CHECK(file.find("\u00fc \"quoted\" \\ \t"));
    CHECK(file.find("nothing") == nullptr);
    CHECK(refusal_of([&] { file.at("nothing"); }).ends_with("holds no tensor 'nothing'"));
    file.check();
}

TEST_CASE("read copies what bytes maps, and nothing of another file") {
    TensorFile file = TensorFile::open(kGolden);
    for (const TensorInfo& info : file.tensors()) {
        std::string copy(info.bytes, '\0');
        file.read(info, std::as_writable_bytes(std::span(copy)));
        CHECK(copy == text_of(file.bytes(info)));
        file.forget(info);
        CHECK(copy == text_of(file.bytes(info)));
    }
    TensorInfo elsewhere = file.at("ids");
    elsewhere.offset = file.size() - 8;
    CHECK(refusal_of([&] { file.bytes(elsewhere); }).starts_with("70: "));
    elsewhere.offset = ~std::uint64_t{0};
    CHECK(refusal_of([&] { file.bytes(elsewhere); }).starts_with("70: "));
}

TEST_CASE("an unaligned tensor is an aligned copy until it is forgotten") {
    TemporaryFolder folder;
    std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)" +
                         one("F32", "[2]", "[1,9]") + "}";
    while (header.size() % 8 != 0)
        header += ' ';
    TensorFile file = TensorFile::open(folder.write("x", safetensors_text(header, "-abcdefgh")));
    const TensorInfo& a = file.at("a");
    CHECK(a.offset % 4 == 1);
    std::span<const std::byte> bytes = file.bytes(a);
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 4 == 0);
    CHECK(text_of(bytes) == "abcdefgh");
    TensorFile moved = std::move(file);
    CHECK(moved.bytes(moved.at("a")).data() == bytes.data());
    moved.forget(moved.at("a"));
    CHECK(text_of(moved.bytes(moved.at("a"))) == "abcdefgh");
}

TEST_CASE("M1: a file cut at any byte is refused") {
    TemporaryFolder folder;
    fs::path path = folder / "cut.safetensors";
    fs::copy_file(kGolden, path);
    auto cut_to = [&](std::size_t size) {  // ever shorter
        fs::resize_file(path, size);
        std::string said = refusal_of([&] { TensorFile::open(path); });
        std::string begin = "3: cannot read " + path.string() + ": ";
        REQUIRE(said.starts_with(begin));
        return said.substr(begin.size());
    };
    CHECK(cut_to(920) == "it is cut short: its header describes 121 bytes of data, 120 are there");
    for (std::size_t size = 919; size > 8; --size)
        CHECK(!cut_to(size).empty());
    CHECK(cut_to(8) == "a header of 792 bytes does not fit into a file of 8");
    CHECK(cut_to(7) == "a safetensors file has at least 8 bytes, this one 7");
    CHECK(cut_to(0) == "a safetensors file has at least 8 bytes, this one 0");
}

TEST_CASE("M2: a header's length is looked at before a byte is allocated") {
    TemporaryFolder folder;
    auto with_length = [&](std::uint64_t length) {
        std::string text = safetensors_text("{}", "");
        for (std::size_t i = 0; i < 8; ++i)
            text[i] = static_cast<char>(length >> (8 * i));
        std::string said = refusal_of([&] { TensorFile::open(folder.write("x", text)); });
        return said.substr(said.find("a header"));
    };
    std::string limit = " bytes is over the limit of 100000000";
    CHECK(with_length(std::uint64_t{1} << 63) == "a header of 9223372036854775808" + limit);
    CHECK(with_length(100'000'001) == "a header of 100000001" + limit);
    CHECK(with_length(100'000'000) == "a header of 100000000 bytes does not fit into a file of 10");
    CHECK(with_length(3) == "a header of 3 bytes does not fit into a file of 10");
}

TEST_CASE("M3: hole, overlap, a tensor that ends before it begins, bytes behind: each by name") {
    auto two = [](std::string_view first, std::string_view second) {
        return fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                           R"("b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                           first,
                           second);
    };
    CHECK(said_of(two("[0,4]", "[4,8]"), 8) == "nothing");
    CHECK(said_of(two("[4,8]", "[0,4]"), 8) == "nothing");
    CHECK(said_of(two("[0,4]", "[3,7]"), 7) == "tensors 'a' and 'b' overlap");
    CHECK(said_of(two("[0,4]", "[0,4]"), 4) == "tensors 'a' and 'b' overlap");
    CHECK(said_of(two("[0,4]", "[6,10]"), 10) == "a hole of 2 bytes before tensor 'b'");
    CHECK(said_of(two("[4,8]", "[8,12]"), 12) == "a hole of 4 bytes before tensor 'a'");
    CHECK(said_of(two("[0,4]", "[8,4]"), 8) == "tensor 'b': it ends at 4 before it begins at 8");
    CHECK(said_of(two("[0,4]", "[4,8]"), 10) ==
          "2 bytes behind its last tensor: its header describes 8 bytes of data, 10 are there");
    CHECK(said_of(two("[0,4]", "[4,8]"), 5) ==
          "it is cut short: its header describes 8 bytes of data, 5 are there");
    CHECK(said_of("{}", 1) ==
          "1 bytes behind its last tensor: its header describes 0 bytes of data, 1 are there");
    // The last offsets that a number can hold.
    CHECK(said_of_tensor("U8", "[1]", "[18446744073709551614,18446744073709551615]", 1) ==
          "a hole of 18446744073709551614 bytes before tensor 'a'");
}

TEST_CASE("M4: a shape is checked before anything is made of it") {
    CHECK(said_of_tensor("U8", "[4294967296,4294967296]", "[0,0]", 0) ==
          "tensor 'a': its shape [4294967296, 4294967296] has more elements than can be counted");
    CHECK(said_of_tensor("F32", "[1000000000000000000]", "[0,0]", 0) ==
          "tensor 'a': its shape [1000000000000000000] has more elements than can be counted");
    CHECK(said_of_tensor("U8", "[4294967296,4294967296,0]", "[0,0]", 0) ==
          "tensor 'a': its shape [4294967296, 4294967296, 0] has more elements than can be "
          "counted");
    CHECK(said_of_tensor("U8", "[0,4294967296,4294967296]", "[0,0]", 0) == "nothing");
    CHECK(said_of_tensor("U8", "[-1]", "[0,1]", 1) == "tensor 'a': a dim of its shape is negative");
    for (const char* shape : {"[1.0]", "[1e0]", "[01]", "[\"1\"]", "[null]", "[[1]]"})
        CHECK(said_of_tensor("U8", shape, "[0,1]", 1) ==
              "tensor 'a': a dim of its shape is no whole number");
    CHECK(said_of_tensor("U8", "[18446744073709551616]", "[0,1]", 1) ==
          "tensor 'a': a dim of its shape is over 2^64");
    CHECK(said_of_tensor("U8", "[9223372036854775808]", "[0,1]", 1) ==
          "tensor 'a': a dim of 9223372036854775808 is too large");
    std::string ones = "[1";
    for (int i = 1; i < 64; ++i)
        ones += ",1";
    CHECK(said_of_tensor("U8", ones + "]", "[0,1]", 1) == "nothing");
    CHECK(said_of_tensor("U8", ones + ",1]", "[0,1]", 1) ==
          "tensor 'a': its shape has more than 64 dims");
    CHECK(said_of_tensor("U8", "[]", "[0,1]", 1) == "nothing");
    CHECK(said_of_tensor("U8", "7", "[0,1]", 1) == "tensor 'a': its shape is no list");
}

TEST_CASE("M10: a shape takes exactly the bytes that are its own") {
    CHECK(said_of_tensor("F32", "[2,3]", "[0,24]", 24) == "nothing");
    CHECK(said_of_tensor("F32", "[2,3]", "[0,23]", 23) ==
          "tensor 'a': F32 [2, 3] takes 24 bytes, its data_offsets hold 23");
    CHECK(said_of_tensor("F4", "[4]", "[0,2]", 2) == "nothing");
    CHECK(said_of_tensor("F4", "[3]", "[0,2]", 2) ==
          "tensor 'a': F4 [3] takes 12 bits and ends inside a byte");
    CHECK(said_of_tensor("F6_E2M3", "[4]", "[0,3]", 3) == "nothing");
    CHECK(said_of_tensor("F8", "[1]", "[0,1]", 1) == "tensor 'a': unknown dtype 'F8'");
    CHECK(said_of_tensor("U8", "[1]", "[0]", 1) == "expected ','");
    CHECK(said_of_tensor("U8", "[1]", "[0,1,2]", 1) == "expected ']'");
    CHECK(said_of_tensor("U8", "[1]", "[0,-1]", 1) == "tensor 'a': a data offset is negative");
    CHECK(said_of_tensor("U8", "[1]", "[0,1.5]", 1) ==
          "tensor 'a': a data offset is no whole number");
}

TEST_CASE("a name, a field or a piece of metadata that is there twice is refused") {
    std::string a = one("U8", "[1]", "[0,1]");
    CHECK(said_of("{" + a + "," + a + "}", 1) == "tensor 'a' is in its header twice");
    // The same name, spelt in two ways.
    std::string b = R"("\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]})";
    CHECK(said_of("{" + a + "," + b + "}", 2) == "tensor 'a' is in its header twice");
    auto with = [](std::string_view fields) { return fmt::format(R"({{"a":{{{}}}}})", fields); };
    CHECK(said_of(with(R"("dtype":"U8","dtype":"U8")"), 0) == "tensor 'a': dtype is here twice");
    CHECK(said_of(with(R"("shape":[],"shape":[])"), 0) == "tensor 'a': shape is here twice");
    CHECK(said_of(with(R"("data_offsets":[0,0],"data_offsets":[0,0])"), 0) ==
          "tensor 'a': data_offsets is here twice");
    CHECK(said_of(R"({"__metadata__":{},"__metadata__":{}})", 0) == "__metadata__ is here twice");
    CHECK(said_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0) == "__metadata__ has 'k' twice");
}

TEST_CASE("a header that is not of its form is refused with what was expected") {
    CHECK(said_of("", 0) == "the header is no JSON object");
    CHECK(said_of("[]", 0) == "the header is no JSON object");
    CHECK(said_of("{}x", 0) == "there is something behind the header's JSON");
    CHECK(said_of(std::string_view("{}\0", 3), 0) == "there is something behind the header's JSON");
    CHECK(said_of(" \n{ }\t\r ", 0) == "nothing");
    CHECK(said_of("{\"\xff\":1}", 0) == "this is no UTF-8");
    CHECK(said_of("{\"\xc0\x80\":1}", 0) == "this is no UTF-8");
    CHECK(said_of("{", 0) == "expected a name in quotes");
    CHECK(said_of("{,}", 0) == "expected a name in quotes");
    CHECK(said_of("{\"a", 0) == "a text that never ends");
    CHECK(said_of("{\"a\\", 0) == "an unknown escape");
    CHECK(said_of("{\"a\\x\"", 0) == "an unknown escape");
    CHECK(said_of("{\"\\u12\"", 0) == "expected four hex digits");
    CHECK(said_of("{\"\\ud800\":", 0) == "half a surrogate pair");
    CHECK(said_of("{\"\\udc00\":", 0) == "half a surrogate pair");
    CHECK(said_of("{\"\\ud800\\u0041\":", 0) == "half a surrogate pair");
    CHECK(said_of("{\"a\n\":", 0) == "a control character in a text");
    CHECK(said_of("{\"a\"}", 0) == "expected ':'");
    CHECK(said_of("{\"a\":1}", 0) ==
          "tensor 'a': expected its dtype, shape and data_offsets in braces");
    CHECK(said_of("{\"a\":{}}", 0) == "tensor 'a': dtype is missing");
    CHECK(said_of(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})", 0) ==
          "tensor 'a': shape is missing");
    CHECK(said_of(R"({"a":{"dtype":"U8","shape":[]}})", 0) ==
          "tensor 'a': data_offsets is missing");
    CHECK(said_of(R"({"a":{"dtype":"U8","color":1}})", 0) == "tensor 'a': unknown field 'color'");
    CHECK(said_of(R"({"__metadata__":{"k":1}})", 0) ==
          "expected a text: so is every value of __metadata__");
    CHECK(said_of(R"({"__metadata__":[]})", 0) == "__metadata__ is no map of texts");
    CHECK(said_of(R"({"__metadata__":null})", 0) == "nothing");
    CHECK(said_of("{" + one("U8", "[1]", "[0,1]") + ",}", 1) == "expected a name in quotes");
    CHECK(said_of("{" + one("U8", "[1,]", "[0,1]") + "}", 1) ==
          "tensor 'a': a dim of its shape is no whole number");
}

TEST_CASE("a long name does not fill the screen") {
    std::string name(100'000, 'n');
    std::string said = said_of("{\"" + name + "\":1}", 0);
    CHECK(said.size() < 250);
    CHECK(said.find("nnn...'") != std::string::npos);
}

TEST_CASE("a header of more than a million tensors, or of endless metadata, is refused") {
    std::string header = "{";
    for (int i = 0; i <= 1'000'000; ++i)
        header += fmt::format(
            R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", i ? "," : "", i);
    CHECK(said_of(header + "}", 0) == "more than 1000000 tensors");
    header = "{\"__metadata__\":{";
    for (int i = 0; i <= 100'000; ++i)
        header += fmt::format(R"({}"{}":"")", i ? "," : "", i);
    CHECK(said_of(header + "}}", 0) == "more than 100000 texts in __metadata__");
}

TEST_CASE("M16: a file that shrinks under a reader is an error for it") {
    TemporaryFolder folder;
    fs::path path = folder / "shrinks.safetensors";
    fs::copy_file(kGolden, path);
    TensorFile file = TensorFile::open(path);
    fs::resize_file(path, 100);
    const TensorInfo& ids = file.at("ids");
    std::string copy(ids.bytes, '\0');
    std::string cut =
        "3: cannot read " + path.string() + ": it was cut from 921 to 100 bytes while it was read";
    CHECK(refusal_of([&] { file.bytes(ids); }) == cut);
    CHECK(refusal_of([&] { file.check(); }) == cut);
    CHECK(refusal_of([&] { file.read(ids, std::as_writable_bytes(std::span(copy))); }) == cut);
}

}  // namespace
}  // namespace stillroom::lm
