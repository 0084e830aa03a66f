#include "plugins/lm/tokenizer/tokenizer.h"
#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

std::string file_of(const std::string& model, const std::string& rest = "") {
    return R"({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
  "post_processor": null, "decoder": null, "model": {"type": "BPE", )" +
           model + "}" + rest + "}";
}

std::string refused(const std::string& text) {
    return refusal_of([&] { Tokenizer::parse(text, "tokenizer.json"); });
}

const std::string kVocab = R"("vocab": {"a": 0, "b": 1, "ab": 2}, )";

}  // namespace

TEST_CASE("T2: a merge of a token that is not there is named with its number") {
    CHECK(refused(file_of(kVocab + R"("merges": ["a b", "a c"])")) ==
          "3: merge 1 needs the token 'c', which the vocabulary lacks");
    CHECK(refused(file_of(kVocab + R"("merges": [["a", "b"], ["b", "a"]])")) ==
          "3: merge 1 needs the token 'ba', which the vocabulary lacks");
}

TEST_CASE("T2: a merge of one part or of three is named with its number") {
    CHECK(refused(file_of(kVocab + R"("merges": ["ab"])")) ==
          "3: merge 0 is 'ab', not two parts with a blank between");
    CHECK(refused(file_of(kVocab + R"("merges": ["a b b"])")) ==
          "3: merge 0 is 'a b b', not two parts with a blank between");
    CHECK(refused(file_of(kVocab + R"("merges": [["a", "b", "b"]])")) ==
          "3: merge 0 has 3 parts, not 2");
}

TEST_CASE("merges of a large file are those of its model, whatever else is called so") {
    // Large files are read by two threads, one of which looks for the merges by their name.
    const std::string space(std::size_t{2} << 20, ' ');
    const std::string model = R"("model": {"type": "BPE", "vocab": {"a": 0, "\"": 1, "a\"": 2},
        "merges": [["a", "\""]]})";
    for (std::string before : {R"("other": {"merges": ["q q"]})",
                               R"("other": {"merges": 7})",
                               R"("a\"merges": [[]])",
                               R"("merges": [])"}) {
        CAPTURE(before);
        Tokenizer good = Tokenizer::parse("{" + before + "," + model + space + "}", "large");
        CHECK(good.encode("a\"") == std::vector<std::uint32_t>{2});
    }
    CHECK(refused("{" + model + space + R"(, "other": {"merges": )" + "]}") ==
          "3: no JSON: a bracket that closes nothing");
    std::string bad = model;
    bad.replace(bad.rfind("\"a\""), 3, "\"c\"");
    CHECK(refused("{" + bad + space + "}") ==
          "3: merge 0 needs the token 'c', which the vocabulary lacks");
    CHECK(refused("{" + model + space + "\xFF}") == "3: this is no UTF-8");
}

TEST_CASE("the fault of many tokens is that of the first, wherever it stands among them") {
    for (int at : {0, 31, 32, 33, 99}) {
        std::string vocab = R"("vocab": {)", merges = R"("merges": [)";
        for (int i = 0; i < 100; ++i) {
            vocab += "\"t" + std::to_string(i) + "\": " + std::to_string(i) + ", ";
            merges +=
                (i > 0 ? ", " : "") + std::string("[\"a\", \"") + (i == at ? "c" : "b") + "\"]";
        }
        CAPTURE(at);
        std::string ends = R"("a": 100, "b": 101, "ab": 102})";
        CHECK(refused(file_of(vocab + ends + ", " + merges + "]")) ==
              "3: merge " + std::to_string(at) +
                  " needs the token 'c', which the vocabulary lacks");
        std::string twice = "\"t" + std::to_string(at) + "\": 103, ";
        CHECK(refused(file_of(vocab + twice + ends + R"(, "merges": [])")) ==
              "3: the token 't" + std::to_string(at) + "' stands here twice");
    }
}

TEST_CASE("T2: ids that repeat, leave a gap or pass every vocabulary are named") {
    CHECK(refused(file_of(R"("vocab": {"a": 0, "b": 0}, "merges": [])")) ==
          "3: 'a' and 'b' have the same id 0");
    CHECK(refused(file_of(R"("vocab": {"a": 0, "b": 2}, "merges": [])")) ==
          "3: no token has the id 1, though the ids go to 2");
    CHECK(refused(file_of(R"("vocab": {"a": 0, "b": 3000000000}, "merges": [])")) ==
          "3: the id 3000000000 of 'b' is not within 0 and 2097151");
    CHECK(refused(file_of(R"("vocab": {"a": 0, "a": 1}, "merges": [])")) ==
          "3: the token 'a' stands here twice");
}

TEST_CASE("an added token keeps the id of its text and else takes the next") {
    std::string head =
        R"({"model": {"type": "BPE", )" + kVocab + R"("merges": []}, "added_tokens": )";
    Tokenizer good = Tokenizer::parse(
        head + R"([{"id": 1, "content": "b", "special": true}, {"id": 3, "content": "<x>"}]})",
        "tokenizer.json");
    CHECK(good.vocab_size() == 4);
    CHECK(good.id_of("<x>") == 3u);
    CHECK(good.token_of(3) == "<x>");
    CHECK(good.is_special(1));
    CHECK(refused(head + R"([{"id": 7, "content": "<x>"}]})") ==
          "3: the added token '<x>' has the id 7, but its place is 3");
}

TEST_CASE("a component that nobody knows is refused by its name") {
    std::string model = R"("model": {"type": "BPE", )" + kVocab + R"("merges": []})";
    CHECK(refused("{" + model + R"(, "normalizer": {"type": "Magic"}})") ==
          "3: the normalizer 'Magic' is not known");
    CHECK(refused("{" + model + R"(, "pre_tokenizer": {"type": "Magic"}})") ==
          "3: the pre-tokenizer 'Magic' is not known");
    CHECK(refused("{" + model + R"(, "post_processor": {"type": "Magic"}})") ==
          "3: the post-processor 'Magic' is not known");
    CHECK(refused("{" + model + R"(, "decoder": {"type": "Magic"}})") ==
          "3: the decoder 'Magic' is not known");
    CHECK(refused(R"({"model": {"type": "Magic"}})") == "3: the model 'Magic' is not known");
    CHECK(refused("{" + model + R"(, "whatever": {"type": "Magic"}})") == "nothing");
}

TEST_CASE("truncation and padding that cannot be are refused by name") {
    std::string model = R"({"model": {"type": "BPE", )" + kVocab + R"("merges": []})";
    CHECK(refused(model + R"(, "truncation": 7})") == "3: 'truncation' should be a map or null");
    CHECK(refused(model + R"(, "padding": "x"})") == "3: 'padding' should be a map or null");
    CHECK(refused(model + R"(, "truncation": {"max_length": 8, "direction": "Up"}})") ==
          "3: the truncation's direction is 'Up', not 'Left' or 'Right'");
    CHECK(refused(model + R"(, "truncation": {"max_length": -8}})") ==
          "3: the truncation's max_length -8 or stride 0 is negative");
    Tokenizer good = Tokenizer::parse(
        model +
            R"(, "truncation": {"max_length": 8, "stride": 2, "direction": "Left"}, "padding": {}})",
        "tokenizer.json");
    REQUIRE(good.truncation());
    CHECK(good.truncation()->max_tokens == 8);
    CHECK(good.truncation()->stride == 2);
    CHECK(good.truncation()->drop_front);
}

TEST_CASE("T6: what is no JSON is refused at its line") {
    CHECK(refused("") == "3: the text ends inside a value");
    CHECK(refused("{\"other\": 3\n,}") == "3: no JSON: nothing follows this comma");
    CHECK(refused(R"({"model": {"vocab": {"\ud800": 0}, "merges": []}})") ==
          "3: a lone surrogate is no character");
    CHECK(refused("{\"a\": \"\xFF\"}") == "3: this is no UTF-8");
    CHECK(refused(R"({"version": "1.0"})") == "3: no 'model': this is no tokenizer");
}

TEST_CASE("T5: a pattern that never ends on a text is stopped by its limit") {
    Tokenizer tokenizer = Tokenizer::parse(
        R"({"model": {"type": "BPE", )" + kVocab +
            R"("merges": []}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"},
               "behavior": "Isolated", "invert": false}})",
        "tokenizer.json");
    REQUIRE(tokenizer.notices().size() == 1);
    CHECK(tokenizer.notices()[0].find("PCRE2") != std::string::npos);
    std::string why = refusal_of([&] { (void)tokenizer.encode(std::string(50000, 'a') + "b"); });
    CHECK(why.starts_with("3: the pattern \"(a+)+$\" needs too much on this text"));
}

TEST_CASE("T6: text that is no UTF-8 is refused at its byte, an id that is none at its place") {
    Tokenizer tokenizer = Tokenizer::parse(file_of(kVocab + R"("merges": ["a b"])"), "t.json");
    CHECK(refusal_of([&] { (void)tokenizer.encode("ab\xC3"); }) ==
          "3: the text is no UTF-8 at byte 2");
    std::vector<std::uint32_t> ids{2, 9};
    CHECK(refusal_of([&] { (void)tokenizer.decode(ids); }) ==
          "3: token 1 of the text has the id 9, the vocabulary ends at 3");
}

TEST_CASE("a limit counts the tokens around a text and cuts at the side that is asked for") {
    Tokenizer tokenizer = Tokenizer::parse(
        R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "<s>": 2}, "merges": []},
            "truncation": {"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 1},
            "post_processor": {"type": "TemplateProcessing", "single": [
              {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
              "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [2], "tokens": ["<s>"]}}}})",
        "tokenizer.json");
    EncodeOptions options;
    CHECK(tokenizer.encode("aabb", options) == std::vector<std::uint32_t>{2, 0, 0, 1, 1});
    options.max_tokens = 3;
    CHECK(tokenizer.encode("aabb", options) == std::vector<std::uint32_t>{2, 0, 0});
    options.drop_front = true;
    Encoding cut = tokenizer.encode_with_bounds("aabb", options);
    CHECK(cut.ids == std::vector<std::uint32_t>{2, 1, 1});
    CHECK(cut.bounds == std::vector<Bounds>{{0, 0}, {2, 3}, {3, 4}});
    REQUIRE(tokenizer.truncation());
    CHECK(tokenizer.truncation()->max_tokens == 5);
    CHECK(tokenizer.truncation()->drop_front);
}

TEST_CASE(
    "of texts that begin alike the longest added token is found, in time that grows with them") {
    std::string tokens;
    for (int i = 1; i <= 200; ++i)
        tokens += (i > 1 ? "," : "") + std::string(R"({"id": )") + std::to_string(2 + i) +
                  R"(, "content": ")" + std::string(static_cast<std::size_t>(i), 'a') + R"(b"})";
    std::string head =
        R"({"model": {"type": "BPE", "vocab": {"a": 0, "c": 1, "d": 2}, "merges": []},)";
    Tokenizer tokenizer =
        Tokenizer::parse(head + R"("added_tokens": [)" + tokens + "]}", "tokenizer.json");
    CHECK(tokenizer.encode("aaab") == std::vector<std::uint32_t>{5});
    CHECK(tokenizer.encode("caabaab") == std::vector<std::uint32_t>{1, 4, 4});
    CHECK(tokenizer.encode(std::string(100000, 'a')).size() == 100000);
}

TEST_CASE("what one tokenizer remembers is forgotten for the next") {
    EncodeScratch scratch;
    for (int id : {0, 1, 0}) {
        Tokenizer tokenizer =
            Tokenizer::parse(R"({"model": {"type": "BPE", "vocab": {"a": )" + std::to_string(id) +
                                 R"(, "b": )" + std::to_string(1 - id) + R"(}, "merges": []}})",
                             "tokenizer.json");
        std::vector<std::uint32_t> ids;
        tokenizer.encode("a", {}, scratch, ids);
        CHECK(ids == std::vector<std::uint32_t>{static_cast<std::uint32_t>(id)});
    }
}
