#include "plugins/lm/tokenizer/tokenizer_cache.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

using namespace stillroom;
using namespace stillroom::lm;
namespace fs = std::filesystem;

namespace {

/// A small tokenizer that is large by blanks behind it.
fs::path large(const TemporaryFolder& folder, const std::string& name) {
    std::string text =
        read_file(STILLROOM_REFERENCE "/tokenizer/" + name + ".json", std::size_t{1} << 20);
    text.resize(text.size() + kLeastCached, '\n');
    fs::path path = folder.path() / "tokenizer.json";
    write_file(path, text);
    return path;
}

/// The only file of a cache with this suffix.
fs::path only(const fs::path& cache, std::string_view suffix) {
    fs::path out;
    for (const std::string& name : list_folder(cache))
        if (name.ends_with(suffix)) {
            CHECK(out.empty());
            out = cache / name;
        }
    return out;
}

bool from_cache(const std::shared_ptr<TokenizerParts>& parts) {
    return parts->memory != nullptr;
}

/// A new file: what is written over an old one goes to the disk at once.
void put(const fs::path& path, std::string_view bytes) {
    fs::remove(path);
    std::ofstream(path, std::ios::binary) << bytes;
}

/// Compares with what the library made of the same texts.
void check_cases(const Tokenizer& tokenizer, const std::string& name) {
    Json cases = Json::parse(
        read_file(STILLROOM_REFERENCE "/tokenizer/" + name + ".cases.json", std::size_t{1} << 20));
    EncodeOptions all;
    all.allow_special = true;
    for (const Json& row : cases.list()) {
        const std::string& text = row.list()[0].string();
        CAPTURE(text);
        std::vector<std::uint32_t> ids;
        for (const Json& id : row.list()[1].list())
            ids.push_back(static_cast<std::uint32_t>(id.integer()));
        REQUIRE(tokenizer.encode(text, all) == ids);
        REQUIRE(tokenizer.decode(ids) == row.list()[4].string());
    }
}

}  // namespace

TEST_CASE("what comes from the cache gives the library's ids and text") {
    for (std::string name : {"llama3",
                             "qwen35",
                             "gpt2",
                             "smollm",
                             "sentencepiece_bpe",
                             "unknown_bytes",
                             "metaspace_bpe"}) {
        CAPTURE(name);
        TemporaryFolder folder;
        fs::path file = large(folder, name), cache = folder.path() / "cache";
        CHECK_FALSE(from_cache(read_by_cache(file, cache)));
        std::shared_ptr<TokenizerParts> again = read_by_cache(file, cache);
        REQUIRE(from_cache(again));
        check_cases(Tokenizer(again), name);
    }
}

TEST_CASE("another content is another tokenizer, whatever its name") {
    TemporaryFolder folder;
    fs::path cache = folder.path() / "cache";
    read_by_cache(large(folder, "llama3"), cache);
    fs::path file = large(folder, "gpt2");
    std::shared_ptr<TokenizerParts> parts = read_by_cache(file, cache);
    CHECK_FALSE(from_cache(parts));
    check_cases(Tokenizer(parts), "gpt2");
}

TEST_CASE("a file that has lain for a while is known by its stamp, unread") {
    TemporaryFolder folder;
    fs::path file = large(folder, "llama3"), cache = folder.path() / "cache";
    read_by_cache(file, cache);
    CHECK(only(cache, ".stamp").empty());  // changed just now, it may change again unseen
    CHECK(from_cache(read_by_cache(file, cache, 0)));
    REQUIRE_FALSE(only(cache, ".stamp").empty());
    CHECK(from_cache(read_by_cache(file, cache)));
    write_file(only(cache, ".stamp"), "no digest");
    CHECK(from_cache(read_by_cache(file, cache)));
    write_file(only(cache, ".stamp"), std::string(64, 'a'));
    CHECK(from_cache(read_by_cache(file, cache)));
}

TEST_CASE("a cache that cannot be written, or that others may write, changes nothing") {
    TemporaryFolder folder;
    fs::path file = large(folder, "llama3");
    CHECK(read_by_cache(file, file / "below a file"));
    fs::path cache = folder.path() / "cache";
    read_by_cache(file, cache);
    fs::permissions(only(cache, ".words"), fs::perms(0666));
    CHECK_FALSE(from_cache(read_by_cache(file, cache)));
    CHECK(from_cache(read_by_cache(file, cache)));  // written anew
    fs::remove(only(cache, ".words"));
    fs::create_symlink("/dev/zero", cache / "x");
    CHECK_FALSE(from_cache(read_by_cache(file, cache)));
}

TEST_CASE("a cut or changed cache file is read as none") {
    TemporaryFolder folder;
    fs::path file = large(folder, "qwen35"), cache = folder.path() / "cache";
    read_by_cache(file, cache);
    fs::path words = only(cache, ".words");
    std::string sound = read_file(words, std::size_t{1} << 24);
    std::mt19937 random(1);
    for (int round = 0; round < 40; ++round) {
        std::string bad = sound;
        if (round % 4 == 0)
            bad.resize(random() % bad.size());
        else
            bad[round % 4 == 1 ? random() % 256 : random() % bad.size()] ^=
                static_cast<char>(1 + random() % 255);
        put(words, bad);
        std::shared_ptr<TokenizerParts> parts = read_by_cache(file, cache);
        REQUIRE(parts);
        REQUIRE_FALSE(from_cache(parts));
    }
    check_cases(Tokenizer(read_by_cache(file, cache)), "qwen35");
}

TEST_CASE("a hostile cache file with a sound checksum reaches nothing outside itself") {
    TemporaryFolder folder;
    fs::path file = large(folder, "llama3"), cache = folder.path() / "cache";
    read_by_cache(file, cache);
    fs::path words = only(cache, ".words");
    std::string digest = words.filename().string().substr(0, 64);
    std::optional<CompiledReader> in = CompiledReader::open(words, digest);
    REQUIRE(in);
    std::vector<std::string> arrays;
    for (;;) {
        std::span<const char> array = in->take<char>();
        if (in->fails())
            break;
        arrays.emplace_back(array.begin(), array.end());
    }
    CHECK(arrays.size() == 11);
    std::mt19937 random(2);
    int believed = 0;
    for (int round = 0; round < 500; ++round) {
        std::vector<std::string> bad = arrays;
        std::string& one = bad[static_cast<std::size_t>(round) % bad.size()];
        switch (random() % 4) {
            case 0:
                one.resize(random() % (one.size() + 1));
                break;
            case 1:
                one.resize(one.size() * 2);
                break;
            default:
                for (int faults = 1 << random() % 8; faults > 0 && one.size() >= 8; --faults) {
                    std::uint64_t word =
                        random() % 2 == 0 ? random() : ~std::uint64_t{0} - random() % 3;
                    std::memcpy(
                        one.data() + random() % (one.size() / 4 - 1) * 4, &word, 1 + random() % 8);
                }
        }
        CompiledWriter out;
        for (const std::string& array : bad)
            out.add(std::span<const char>(array));
        put(words, out.finish(digest).view());
        in = CompiledReader::open(words, digest);
        REQUIRE(in);
        std::shared_ptr<TokenizerParts> parts = read_compiled_tokenizer(*in, "hostile");
        if (!parts)
            continue;
        ++believed;
        Tokenizer tokenizer(parts);
        tokenizer.encode("Hello, wörld! 你好 123 <|begin_of_text|>   x");
        tokenizer.encode_with_bounds("Hello, wörld! 你好 123 <|begin_of_text|>   x");
        for (std::uint32_t id = 0; id < tokenizer.vocab_size(); ++id)
            if (tokenizer.token_of(id))
                tokenizer.token_of(id)->size();
    }
    CHECK(believed > 10);
    CHECK(believed < 400);
}
