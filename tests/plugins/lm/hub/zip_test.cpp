#include "plugins/lm/hub/zip.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/hub/refusal.h"
#include "tests/plugins/lm/hub/zip_writer.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

std::string unzipped(const std::string& archive, const std::string& member, ZipLimits limits = {}) {
    TemporaryFolder folder;
    std::string out;
    unzip_member(
        folder.write("a.zip", archive),
        member,
        [&](std::string_view bytes) { out += bytes; },
        limits);
    return out;
}

std::string refusal(const std::string& archive,
                    const std::string& member = "a",
                    ZipLimits limits = {}) {
    std::string text = refusal_of([&] { unzipped(archive, member, limits); });
    CHECK(text.starts_with("3: cannot unpack "));
    return text;
}

/// One member `a` with a number wrong.
std::string refusal_with(ZipEntry entry) {
    entry.name = "a";
    if (entry.bytes.empty())
        entry.bytes = "some bytes";
    return refusal(ZipWriter().write({entry, {"b", "other"}}));
}

std::string long_text() {
    std::string text;
    for (int i = 0; i < 200'000; ++i)
        text += std::to_string(i * 7919 % 1000);
    return text;
}

TEST_CASE("a member comes out as it went in, stored or deflated, small or large") {
    std::string text = long_text();
    for (bool deflated : {false, true})
        for (bool large : {false, true})
            for (const std::string& bytes : {std::string(), std::string("x"), text}) {
                ZipWriter writer;
                writer.large_end = large;
                ZipEntry entry{"deep/a", bytes, deflated, large};
                std::string archive = writer.write({{"x", "1"}, entry, {"y", "2", true}});
                CHECK(unzipped(archive, "deep/a") == bytes);
                CHECK(unzipped(archive, "y") == "2");
            }
}

TEST_CASE("what others put around an archive's parts is read over") {
    ZipWriter writer;
    writer.before = "an installer";
    writer.comment = "a comment with PK\x05\x06 in it";
    CHECK(unzipped(writer.write({{"a", "x"}}), "a") == "x");
}

TEST_CASE("names are only compared, so one that leads out is as good as any") {
    CHECK(unzipped(ZipWriter().write({{"../../etc/passwd", "x"}, {"a", "y"}}), "a") == "y");
    CHECK(says(refusal(ZipWriter().write({{"b", "x"}})), "it holds no 'a'"));
    CHECK(says(refusal(ZipWriter().write({{"a", "x"}, {"a", "y"}})), "it holds 'a' twice"));
}

TEST_CASE("what is no archive, or is cut anywhere, is refused") {
    for (const char* text : {"", "x", "PK\x05\x06"})
        CHECK(says(refusal(text), "it is no ZIP archive"));
    CHECK(says(refusal(std::string(100'000, '\0')), "it is no ZIP archive"));
    for (bool large : {false, true}) {
        ZipWriter writer;
        writer.large_end = large;
        std::string archive = writer.write({{"a", "some bytes", true, large}, {"b", "x"}});
        for (std::size_t size = 0; size < archive.size(); ++size)
            refusal(archive.substr(0, size));
        refusal(archive.substr(1));
        refusal(archive + "x");
    }
}

TEST_CASE("any byte may be wrong: the file is refused or the right bytes come out") {
    for (bool large : {false, true}) {
        ZipWriter writer;
        writer.large_end = large;
        std::string archive = writer.write({{"a", "some bytes", true, large}});
        for (std::size_t i = 0; i < archive.size(); ++i)
            for (int bit : {0, 3, 7}) {
                std::string wrong = archive;
                wrong[i] = static_cast<char>(wrong[i] ^ (1 << bit));
                std::string out = "some bytes";
                INFO("byte " << i);
                std::string text = refusal_of([&] { out = unzipped(wrong, "a"); });
                CHECK((text == "nothing" || text.starts_with("3: ")));
                CHECK(out == "some bytes");
            }
    }
}

TEST_CASE("a directory is where its end says, and of that size") {
    auto with = [](auto change) {
        ZipWriter writer;
        change(writer);
        return refusal(writer.write({{"a", "x"}}));
    };
    for (bool large : {false, true}) {
        CHECK(says(with([&](ZipWriter& w) {
                       w.large_end = large;
                       w.directory_shift = 1;
                   }),
                   "not where its end"));
        CHECK(says(with([&](ZipWriter& w) {
                       w.large_end = large;
                       w.more_directory = 1;
                   }),
                   "not where its end"));
        CHECK(says(with([&](ZipWriter& w) {
                       w.large_end = large;
                       w.after_directory = "PK";
                   }),
                   "not where its end"));
        CHECK(says(with([&](ZipWriter& w) {
                       w.large_end = large;
                       w.more_entries = 1;
                   }),
                   "too short"));
    }
    CHECK(says(with([](ZipWriter& w) {
                   w.large_end = true;
                   w.directory_shift = ~std::uint64_t{0};
               }),
               "not where its end"));
    CHECK(says(with([](ZipWriter& w) {
                   w.large_end = true;
                   w.more_entries = std::uint64_t{1} << 60;
               }),
               "over the limit"));
    CHECK(says(with([](ZipWriter& w) {
                   w.large_end = true;
                   w.more_directory = std::uint64_t{1} << 60;
               }),
               "over the limit"));
    ZipLimits one;
    one.entries = 1;
    CHECK(says(refusal(ZipWriter().write({{"a", "x"}, {"b", "y"}}), "a", one), "it has 2 entries"));
}

TEST_CASE("a member's sizes, sum and headers agree") {
    CHECK(says(refusal_with({.crc = 7}), "its CRC-32 is"));
    CHECK(says(refusal_with({.deflated = true, .crc = 7}), "its CRC-32 is"));
    CHECK(says(refusal_with({.size = 9}), "two sizes"));
    CHECK(says(refusal_with({.size = 9, .packed = 9}), "its CRC-32 is"));
    CHECK(says(refusal_with({.packed = 1000}), "two sizes"));
    CHECK(says(refusal_with({.deflated = true, .packed = 1000}), "beyond its end"));
    CHECK(says(refusal_with({.deflated = true, .size = 9}), "more than the 9 bytes"));
    CHECK(says(refusal_with({.deflated = true, .size = 11}), "10 bytes are in it, not 11"));
    CHECK(says(refusal_with({.deflated = true, .packed = 3}), "bytes are in it, not 10"));
    CHECK(says(refusal_with({.deflated = true, .packed = 14}), "go on after their end"));
    CHECK(says(refusal_with({.header = 3}), "no header"));
    CHECK(says(refusal_with({.header = 0xfffffff0}), "beyond its end"));
    CHECK(says(refusal_with({.local_name = "b"}), "headers of a member of it differ"));
    CHECK(says(refusal_with({.large = true, .header = 0xfffffff0}), "beyond its end"));
}

TEST_CASE("what is no plain file is refused") {
    CHECK(says(refusal_with({.flags = 1}), "encrypted"));
    CHECK(says(refusal_with({.flags = 0x40}), "encrypted"));
    CHECK(says(refusal_with({.flags = 0x20}), "patch"));
    CHECK(says(refusal_with({.attributes = 0120777u << 16}), "no file"));
    CHECK(says(refusal_with({.attributes = 0040755u << 16}), "no file"));
    CHECK(says(refusal_with({.method = 12}), "method 12"));
    CHECK(says(refusal_with({.method = 8}), "no deflate stream"));
}

TEST_CASE("a bomb is refused by what it announces, before it is unpacked") {
    std::string zeros(std::size_t{4} << 20, '\0');
    std::string archive = ZipWriter().write({{"a", zeros, true}});
    CHECK(says(refusal(archive), "over 200 times as many"));
    ZipLimits limits;
    limits.ratio = 2000;
    CHECK(unzipped(archive, "a", limits) == zeros);
    limits.bytes = 1000;
    CHECK(says(refusal(archive, "a", limits), "over the limit of 1000"));
    ZipEntry liar{"a", zeros, true};
    liar.size = 5000;
    CHECK(says(refusal(ZipWriter().write({liar})), "more than the 5000 bytes"));
}

TEST_CASE("what is no file is refused without hanging") {
    TemporaryFolder folder;
    auto take = [](std::string_view) {};
    CHECK(says(refusal_of([&] { unzip_member(folder.path(), "a", take); }), "no regular file"));
    CHECK(says(refusal_of([&] { unzip_member(folder / "none", "a", take); }), "No such file"));
}

}  // namespace
}  // namespace stillroom::lm
