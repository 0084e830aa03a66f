#include "plugins/data/tokenize_files.h"

#include "engine/base/digest.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/sha256.h"
#include "plugins/lm/data/indexed_dataset.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/weights/listening_context.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

namespace stillroom::data {
namespace {

namespace fs = std::filesystem;

fs::path reference() {
    return STILLROOM_REFERENCE;
}

/// A stage's folders, and a stop after so many looks.
struct Folders final : lm::ListeningContext {
    Folders() {
        for (const char* name : {"work", "data", "valid"})
            fs::create_directories(place / name);
    }
    fs::path output(std::string_view name) const override { return place / std::string(name); }
    fs::path work() const override { return place / "work"; }
    void log(LogLevel, std::string_view text) override { said.emplace_back(text); }

    TemporaryFolder place;
    std::vector<std::string> said;
};

struct Setup {
    EncodeRules encode;
    WriteRules write;
    lm::Tokenizer tokenizer;
    std::vector<lm::TextFile> files;

    Setup(const fs::path& vocabulary,
          const fs::path& text,
          std::vector<std::string> keys = {"text"})
        : tokenizer(lm::Tokenizer::read(vocabulary)),
          files(lm::find_text_files(text)) {
        encode.keys = write.keys = std::move(keys);
        write.type = lm::TokenType::u16;
    }

    /// False if it was stopped, after so many blocks of this try; a stop is what a cancel does.
    bool run(Folders& folders, unsigned threads, std::uint64_t stop_behind = ~std::uint64_t{0}) {
        DocumentWriter writer(folders, write, files);
        TokenizeWatch watch;
        watch.look = [] {};
        watch.cancelled = [&] { return writer.taken() >= stop_behind; };
        watch.save_every = 1e9;
        if (!tokenize_files(tokenizer, encode, files, threads, writer, watch))
            return false;
        writer.finish("data");
        if (write.holdout > 0)
            writer.finish("valid");
        return true;
    }
};

std::string hash_of(const fs::path& file) {
    return sha256_hex(read_file(file, std::size_t{1} << 30));
}

/// Of everything in the outputs, by "data/text_document.bin".
std::map<std::string, std::string> hashes_of(const Folders& folders) {
    std::map<std::string, std::string> out;
    for (const char* output : {"data", "valid"})
        for (const std::string& name : list_folder(folders.output(output)))
            out[output + ("/" + name)] = hash_of(folders.output(output) / name);
    return out;
}

std::string trouble_of(const std::string& text, const EncodeRules& rules = {}) {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", text);
    Setup setup(reference() / "tokenizer/llama3.json", file);
    if (!rules.keys.empty())
        setup.encode = rules, setup.write.keys = rules.keys;
    Folders folders;
    try {
        setup.run(folders, 2);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        CHECK(list_folder(folders.output("data")).empty());
        return fmt::format("{}:{}: {}", error.where().line, error.where().column, error.what());
    }
    return "nothing";
}

/// Many rows of all sizes, some of them empty, over a few blocks.
std::string many_rows(std::size_t bytes) {
    std::string text;
    for (std::uint64_t i = 0; text.size() < bytes; ++i) {
        text += fmt::format("{{\"id\": {}, \"text\": \"", i);
        for (std::uint64_t k = 0; k < i * 7919 % 401; ++k)
            text += fmt::format("word{} \\n", (i * k) % 97);
        text += "\"}\n";
    }
    return text;
}

}  // namespace

TEST_CASE("token files are those of Megatron's preprocessor") {
    fs::path place = reference() / "data/tokens.json";
    Json cases = Json::parse(read_file(place, 1 << 20));
    for (const Json& each : cases.list()) {
        CAPTURE(each.at("tokenizer").string());
        std::vector<std::string> keys{"text"};
        if (const Json* named = each.find("keys")) {
            keys.clear();
            for (const Json& key : named->list())
                keys.push_back(key.string());
        }
        Setup setup(reference() / "tokenizer" / each.at("tokenizer").string(),
                    reference() / "data/rows.jsonl",
                    keys);
        if (const Json* end = each.find("end"))
            setup.encode.end = static_cast<std::uint32_t>(end->integer());
        if (each.find("type"))
            setup.write.type = lm::TokenType::i32;
        if (const Json* cut = each.find("cut"))
            setup.encode.most_tokens = static_cast<std::size_t>(cut->integer());
        setup.encode.strip_newlines = each.find("strip_newlines") != nullptr;
        setup.encode.options.allow_special = each.find("allow_special") != nullptr;
        if (const Json* most = each.find("most"))
            setup.write.most_tokens = most->integer();
        if (const Json* share = each.find("holdout")) {
            setup.write.holdout = share->number();
            setup.write.seed = each.at("seed").integer();
        }
        Folders folders;
        REQUIRE(setup.run(folders, 2));
        std::map<std::string, std::string> expected;
        for (const Json::Member& file : each.at("files").map()) {
            std::string name = file.key;  // "data-meta.title.bin"
            std::size_t dash = name.find('-'), dot = name.rfind('.');
            expected[name.substr(0, dash) + "/" + name.substr(dash + 1, dot - dash - 1) +
                     "_document" + name.substr(dot)] = file.value.string();
        }
        CHECK(hashes_of(folders) == expected);
    }
}

TEST_CASE("the number of threads changes nothing") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", many_rows(6 << 20));
    std::set<std::map<std::string, std::string>> seen;
    for (unsigned threads : {1U, 2U, 5U}) {
        Setup setup(reference() / "tokenizer/llama3.json", file);
        setup.write.holdout = 0.2;
        Folders folders;
        REQUIRE(setup.run(folders, threads));
        seen.insert(hashes_of(folders));
    }
    CHECK(seen.size() == 1);
}

TEST_CASE("work that was stopped goes on to the same bytes, wherever that was") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", many_rows(8 << 20));
    Setup setup(reference() / "tokenizer/llama3.json", file);
    setup.write.holdout = 0.2;
    setup.encode.end = 1;
    Folders whole;
    REQUIRE(setup.run(whole, 2));
    Folders often;
    int tries = 1;
    for (std::uint64_t at = 1 << 20; !setup.run(often, 2, at); at += 1 << 20)
        ++tries;
    CHECK(tries > 2);
    CHECK(hashes_of(often) == hashes_of(whole));
    CHECK_FALSE(often.said.empty());
}

TEST_CASE("what was written behind the last saved place does not count") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", many_rows(8 << 20));
    Setup setup(reference() / "tokenizer/llama3.json", file);
    Folders whole, cut;
    REQUIRE(setup.run(whole, 2));
    REQUIRE_FALSE(setup.run(cut, 2, 2 << 20));
    for (const std::string& name : list_folder(cut.work()))  // a kill while files grew
        if (name != "place.json")
            std::ofstream(cut.work() / name, std::ios::app) << "half a token";
    REQUIRE(setup.run(cut, 2));
    CHECK(hashes_of(cut) == hashes_of(whole));
}

TEST_CASE("a file that is another one since the stop is read from its begin") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", many_rows(8 << 20));
    Setup setup(reference() / "tokenizer/llama3.json", file);
    Folders cut, whole;
    REQUIRE_FALSE(setup.run(cut, 2, 2 << 20));
    place.write("rows.jsonl", many_rows(3 << 20));
    setup.files = lm::find_text_files(file);
    REQUIRE(setup.run(cut, 2));
    REQUIRE(setup.run(whole, 2));
    CHECK(hashes_of(cut) == hashes_of(whole));
}

TEST_CASE("digests that were worked out on the way are those of the files") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", many_rows(40 << 20));  // over a chunk of tokens
    Setup setup(reference() / "tokenizer/llama3.json", file);
    setup.write.type = lm::TokenType::i32;
    Folders folders;
    for (std::uint64_t at = 20 << 20; !setup.run(folders, 2, at); at += 100 << 20)
        continue;
    fs::path bin = folders.output("data") / "text_document.bin";
    CHECK(fs::file_size(bin) > kDigestChunk);
    CHECK(folders.digests.at("text_document.bin") == digest_file(bin, 2).digest);
    CHECK(lm::IndexedDataset::open(folders.output("data") / "text_document").tokens() ==
          static_cast<std::int64_t>(fs::file_size(bin)) / 4);
}

TEST_CASE("a bad row is told with file, line and column") {
    CHECK(trouble_of("{\"text\": \"a\"}\n\n{\"text\": 5}") ==
          "3:10: the field 'text' is a number, not a string");
    CHECK(trouble_of("{\"text\": \"\xc3\xa4\xc3\xa4\", \"b\": tru}") ==
          "1:21: no JSON: a value should stand here");
    CHECK(trouble_of("\xff\xfe{") == "1:1: this file is UTF-16, not UTF-8");
    CHECK(trouble_of(many_rows(5 << 20) + "{\"body\": \"\"}\n")
              .ends_with(":1: there is no field 'text'"));
}

TEST_CASE("the first bad row is the one that is told, whatever the threads do") {
    std::string rows = many_rows(3 << 20), bad = "{\"text\": 1}\n";
    std::string first = trouble_of(rows + bad);
    for (int i = 0; i < 3; ++i)
        CHECK(trouble_of(rows + bad + rows + "{\n" + rows) == first);
}

TEST_CASE("bad rows that are left out are counted, lists of messages are not left out") {
    EncodeRules rules;
    rules.keys = {"text"};
    rules.skip_bad = true;
    CHECK(trouble_of("{\"text\": 5}\n{\"text\": \"a\"}\n{\n", rules) == "nothing");
    CHECK(trouble_of("{\"text\": [{\"role\": \"user\"}]}\n", rules) ==
          "1:10: the field 'text' is a list, not a string");
}

TEST_CASE("tokens enough end the work before what follows is looked at") {
    TemporaryFolder place;
    fs::path file = place.write("rows.jsonl", "{\"text\": \"a b c\"}\n{\"text\": \"d\"}\nno row\n");
    Setup setup(reference() / "tokenizer/gpt2.json", file);
    setup.write.most_tokens = 1;
    Folders folders;
    CHECK(setup.run(folders, 2));
    CHECK(lm::IndexedDataset::open(folders.output("data") / "text_document").documents() == 1);
}

TEST_CASE("a share of the documents is held out, the same ones each time") {
    int held = 0;
    for (std::uint64_t i = 0; i < 10000; ++i)
        held += is_held_out(1234, i, 0.1);
    CHECK(held > 900);
    CHECK(held < 1100);
    CHECK(is_held_out(5, 3, 0.25) == is_held_out(5, 3, 0.25));
    CHECK_FALSE(is_held_out(5, 3, 0));
}

}  // namespace stillroom::data
