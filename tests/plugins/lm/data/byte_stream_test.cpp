#include "plugins/lm/data/byte_stream.h"

#include "plugins/lm/data/line_blocks.h"
#include "plugins/lm/data/read_ahead.h"
#include "plugins/lm/data/text_files.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

namespace stillroom::lm {
namespace {

std::string gzip(std::string_view text) {
    z_stream state{};
    REQUIRE(::deflateInit2(&state, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(::deflateBound(&state, text.size()), '\0');
    state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    state.avail_in = static_cast<uInt>(text.size());
    state.next_out = reinterpret_cast<Bytef*>(out.data());
    state.avail_out = static_cast<uInt>(out.size());
    REQUIRE(::deflate(&state, Z_FINISH) == Z_STREAM_END);
    out.resize(state.total_out);
    ::deflateEnd(&state);
    return out;
}

std::string zstd(std::string_view text) {
    std::string out(::ZSTD_compressBound(text.size()), '\0');
    out.resize(::ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::string all_of(ByteStream& stream, std::size_t piece = 1000) {
    std::string out, part(piece, '\0');
    while (std::size_t count = stream.read(part))
        out.append(part, 0, count);
    return out;
}

std::string unpacked(const TemporaryFolder& place,
                     const std::string& name,
                     std::string_view bytes) {
    std::filesystem::path file = place.write(name, bytes);
    std::string out;
    std::string refusal = refusal_of([&] { out = all_of(*open_unpacked(file)); });
    std::string prefix = "3: " + file.string() + ": ";
    if (refusal.starts_with(prefix))
        return refusal.substr(prefix.size());
    return refusal == "nothing" ? out : refusal;
}

std::string long_text() {
    std::string text;
    for (int i = 0; text.size() < (std::size_t{5} << 20); ++i)
        text += fmt::format("line {} of many, {}\n", i, i * i % 7919);
    return text;
}

std::vector<std::string> blocks_of(const std::string& text, std::size_t longest, bool& too_long) {
    TemporaryFolder place;
    auto stream = open_file(place.write("x", text));
    LineBlocks lines(*stream, longest);
    std::vector<std::string> out;
    for (std::string block; lines.next(block);)
        out.push_back(block);
    too_long = lines.too_long();
    return out;
}

}  // namespace

TEST_CASE("packed files give what was packed, of one member and of several") {
    TemporaryFolder place;
    std::string text = long_text();
    CHECK(unpacked(place, "a.jsonl", text) == text);
    CHECK(unpacked(place, "a.jsonl.gz", gzip(text)) == text);
    CHECK(unpacked(place, "a.jsonl.zst", zstd(text)) == text);
    CHECK(unpacked(place, "b.gz", gzip("one\n") + gzip("") + gzip("two\n")) == "one\ntwo\n");
    CHECK(unpacked(place, "b.zst", zstd("one\n") + zstd("") + zstd("two\n")) == "one\ntwo\n");
    CHECK(unpacked(place, "c.gz", gzip("padded") + std::string(1000, '\0')) == "padded");
    CHECK(unpacked(place, "no-ending", gzip("by its first bytes")) == "by its first bytes");
    CHECK(unpacked(place, "none-either", zstd("by its first bytes")) == "by its first bytes");
}

TEST_CASE("a packed file that is cut anywhere is refused") {
    TemporaryFolder place;
    for (const auto& [name, whole] : {std::pair("a.gz", gzip("some text to be cut")),
                                      std::pair("a.zst", zstd("some text to be cut"))})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            CHECK(unpacked(place, name, whole.substr(0, size))
                      .starts_with(fmt::format("the file is cut: it ends after {} bytes", size)));
        }
}

TEST_CASE("what follows the last member is refused, and so is damage") {
    TemporaryFolder place;
    CHECK(unpacked(place, "a.gz", gzip("x") + "rubbish")
              .starts_with("something that is no gzip follows its last member"));
    CHECK(unpacked(place, "a.zst", zstd("x") + "rubbish")
              .starts_with("something that is no zstd follows its last frame"));
    CHECK(unpacked(place, "b.gz", "plain text").starts_with("a gzip member is damaged"));
    std::string bad = gzip(long_text());
    bad[bad.size() / 2] ^= 1;
    CHECK(unpacked(place, "c.gz", bad).starts_with("a gzip member is damaged near byte"));
}

TEST_CASE("a frame that wants more memory than 128 MiB is refused with what to do") {
    TemporaryFolder place;
    std::string frame("\x28\xb5\x2f\xfd\x00\xb0\x01\x00\x00", 9);  // a window of 4 GiB
    CHECK(unpacked(place, "a.zst", frame) == "its frames need a window of more than 128 MiB");
}

TEST_CASE("a stream goes on behind what is skipped") {
    TemporaryFolder place;
    std::string text = long_text();
    for (const auto& [name, bytes] :
         {std::pair("a", text), std::pair("a.gz", gzip(text)), std::pair("a.zst", zstd(text))}) {
        auto stream = open_unpacked(place.write(name, bytes));
        stream->skip(3'000'001);
        CHECK(all_of(*stream) == text.substr(3'000'001));
        CHECK(stream->taken() == bytes.size());
        CHECK(all_of(*stream).empty());
    }
    auto stream = open_unpacked(place.path() / "a.gz");
    stream->skip(text.size() + 100);
    CHECK(all_of(*stream).empty());
}

TEST_CASE("a stream that nobody reads to its end is let go") {
    TemporaryFolder place;
    auto stream = open_unpacked(place.write("a.gz", gzip(long_text() + long_text())));
    char first[4];
    CHECK(stream->read(first) == 4);
}

TEST_CASE("a file that is cut while it is read is told, one that grows ends where it ended") {
    TemporaryFolder place;
    std::filesystem::path file = place.write("a", "0123456789");
    auto stream = open_file(file);
    char part[4];
    CHECK(stream->read(part) == 4);
    std::ofstream(file, std::ios::app) << "more";
    CHECK(all_of(*stream) == "456789");
    auto cut = open_file(file);
    REQUIRE(::truncate(file.c_str(), 5) == 0);
    CHECK(refusal_of([&] {
              all_of(*cut);
          }).ends_with("it was cut to 5 bytes while it was read, it had 14"));
}

TEST_CASE("what is no file is told by name") {
    TemporaryFolder place;
    CHECK(refusal_of([&] {
              open_file(place / "absent");
          }).ends_with("absent: No such file or directory"));
    CHECK(refusal_of([&] { open_file(place.path()); }).ends_with("it is a folder"));
    CHECK(refusal_of([] { open_file("/dev/null"); }).ends_with("it is no regular file"));
}

TEST_CASE("blocks are whole lines, and together the text") {
    std::string text = long_text();
    bool too_long = false;
    std::vector<std::string> blocks = blocks_of(text, kLongestLine, too_long);
    CHECK(blocks.size() > 3);
    std::string all;
    for (const std::string& block : blocks) {
        CHECK(block.ends_with('\n'));
        all += block;
    }
    CHECK(all == text);
    CHECK_FALSE(too_long);
    CHECK(blocks_of("a\nb", 10, too_long).back().ends_with("b"));
    CHECK(blocks_of("", 10, too_long).empty());
    std::string line = std::string(3 << 20, 'x') + "\n";
    CHECK(blocks_of(line + "y\n" + line, kLongestLine, too_long).front().starts_with(line));
}

TEST_CASE("a line of the limit is taken, one byte more is not") {
    bool too_long = false;
    std::string before = "short\n";
    CHECK(blocks_of(before + std::string(20, 'x') + "\n", 20, too_long).size() > 1);
    CHECK_FALSE(too_long);
    CHECK(blocks_of(before + std::string(21, 'x') + "\n", 20, too_long).back() ==
          std::string(21, 'x'));
    CHECK(too_long);
}

TEST_CASE("a line ends by LF, by CR LF, or at the end") {
    std::string_view lines = "a\r\n\nb\rc\nd";
    CHECK(take_line(lines) == "a");
    CHECK(take_line(lines).empty());
    CHECK(take_line(lines) == "b\rc");
    CHECK(take_line(lines) == "d");
    CHECK(lines.empty());
}

TEST_CASE("of a folder come rows, and texts only where there are none") {
    TemporaryFolder place;
    for (const char* name : {"b.jsonl",
                             "a/c.jsonl.zst",
                             "z.parquet",
                             "README.md",
                             "notes.txt",
                             "config.json",
                             ".cache/x.jsonl",
                             "a.bin"})
        place.write(name, "x");
    auto names = [&] {
        std::vector<std::string> out;
        for (const TextFile& file : find_text_files(place.path()))
            out.push_back(file.path.lexically_relative(place.path()));
        return out;
    };
    CHECK(names() == std::vector<std::string>{"a/c.jsonl.zst", "b.jsonl", "z.parquet"});
    for (const char* name : {"b.jsonl", "a/c.jsonl.zst", "z.parquet"})
        std::filesystem::remove(place / name);
    CHECK(names() == std::vector<std::string>{"notes.txt"});
    std::filesystem::remove(place / "notes.txt");
    CHECK(refusal_of([&] { names(); }).ends_with("holds no file of text"));
}

TEST_CASE("a name says what a file holds") {
    CHECK(text_kind_of("a.jsonl") == TextKind::lines);
    CHECK(text_kind_of("a.v2.json.gz") == TextKind::lines);
    CHECK(text_kind_of("a.md") == TextKind::text);
    CHECK(text_kind_of("a.txt.zst") == TextKind::text);
    CHECK(text_kind_of("a.parquet") == TextKind::parquet);
    for (const char* name : {"a.csv", "a", "a.gz", "a.parquet.gz", "a.bin", "jsonl"})
        CHECK(refusal_of([&] { text_kind_of(name); }).ends_with("does not say what it holds"));
}

}  // namespace stillroom::lm
