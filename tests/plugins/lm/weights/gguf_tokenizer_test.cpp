#include "plugins/lm/weights/gguf_tokenizer.h"

#include "engine/base/json_value.h"
#include "tests/plugins/lm/weights/gguf_altered.h"

#include <doctest/doctest.h>

#include <cmath>

namespace stillroom::lm {
namespace {

Json file_of(const char* model, std::string_view name) {
    return Json::parse(
        small_file(GgufImport::open(kGgufModels / (std::string(model) + ".gguf")), name));
}

std::string type_of(const Json& component) {
    return component.is_null() ? "null" : component.at("type").string();
}

TEST_CASE("byte-level tokens are the model's vocabulary, with their ids and merges") {
    Json file = file_of("llama", "tokenizer.json");
    const Json& model = file.at("model");
    CHECK(type_of(model) == "BPE");
    CHECK(model.at("unk_token").is_null());
    CHECK_FALSE(model.at("byte_fallback").boolean());
    CHECK_FALSE(model.at("ignore_merges").boolean());
    // Special tokens stand first here, so they are the model's own too.
    CHECK(model.at("vocab").map().size() == 265);
    std::int64_t next = 0;
    for (const Json::Member& member : model.at("vocab").map())
        CHECK(member.value.integer() == next++);
    CHECK(model.at("vocab").map()[0].key == "<s>");
    CHECK(model.at("vocab").map()[3].key == "!");
    REQUIRE(model.at("merges").list().size() == 6);
    CHECK(model.at("merges").list()[2].string() == "he ll");
    REQUIRE(file.at("added_tokens").list().size() == 3);
    const Json& think = file.at("added_tokens").list()[2];
    CHECK(think.at("content").string() == "<think>");
    CHECK(think.at("id").integer() == 2);
    CHECK_FALSE(think.at("special").boolean());
    CHECK_FALSE(think.at("normalized").boolean());
    CHECK(file.at("added_tokens").list()[0].at("special").boolean());
}

TEST_CASE("added tokens behind all others are not the model's own, and padding is left out") {
    Json file = file_of("llama3", "tokenizer.json");
    CHECK(file.at("model").at("vocab").map().size() == 262);
    CHECK_FALSE(file.at("model").at("vocab").find("<s>"));
    CHECK(file.at("added_tokens").list()[0].at("id").integer() == 262);
    CHECK(
        small_file(GgufImport::open(kGgufModels / "llama3.gguf"), "tokenizer.json").find("[PAD") ==
        std::string::npos);
}

TEST_CASE("what splits text comes from the name of the splitter") {
    Json smollm = file_of("llama", "tokenizer.json");
    const Json& parts = smollm.at("pre_tokenizer").at("pretokenizers");
    CHECK(type_of(parts.list()[0]) == "Digits");
    CHECK(parts.list()[0].at("individual_digits").boolean());
    CHECK(type_of(parts.list()[1]) == "ByteLevel");
    CHECK(parts.list()[1].at("use_regex").boolean());
    CHECK(smollm.at("normalizer").is_null());

    Json llama3 = file_of("llama3", "tokenizer.json");
    const Json& split = llama3.at("pre_tokenizer").at("pretokenizers").list()[0];
    CHECK(type_of(split) == "Split");
    CHECK(
        split.at("pattern").at("Regex").string() ==
        R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re");
    CHECK_FALSE(llama3.at("pre_tokenizer").at("pretokenizers").list()[1].at("use_regex").boolean());
    CHECK(llama3.at("model").at("ignore_merges").boolean());

    Json qwen2 = file_of("qwen2", "tokenizer.json");
    CHECK(type_of(qwen2.at("normalizer")) == "NFC");
    CHECK(
        qwen2.at("pre_tokenizer")
            .at("pretokenizers")
            .list()[0]
            .at("pattern")
            .at("Regex")
            .string() ==
        R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re");
    CHECK(said_of_altered("llama", stored_text("smollm"), stored_text("smollx")) ==
          "how 'smollx' splits text is not known ('tokenizer.ggml.pre')");
    CHECK(said_of_altered("mistral", stored_text("default"), stored_text("defunct")) ==
          "how 'defunct' splits text is not known ('tokenizer.ggml.pre')");
}

TEST_CASE("a beginning is added where the file or its splitter says so") {
    CHECK(type_of(file_of("llama", "tokenizer.json").at("post_processor")) == "ByteLevel");
    Json llama3 = file_of("llama3", "tokenizer.json");
    const Json& post = llama3.at("post_processor");
    CHECK(type_of(post) == "TemplateProcessing");
    REQUIRE(post.at("single").list().size() == 2);
    CHECK(post.at("single").list()[0].at("SpecialToken").at("id").string() == "<s>");
    CHECK(post.at("pair").list().size() == 4);
    CHECK(post.at("special_tokens").at("<s>").at("ids").list()[0].integer() == 262);
    CHECK(type_of(file_of("mistral", "tokenizer.json").at("post_processor")) ==
          "TemplateProcessing");
    CHECK(file_of("llama3", "tokenizer_config.json").at("add_bos_token").boolean());
    CHECK_FALSE(file_of("llama", "tokenizer_config.json").at("add_bos_token").boolean());
}

TEST_CASE("scores become merges: every way to make a piece, higher scores first") {
    Json file = file_of("mistral", "tokenizer.json");
    const Json& model = file.at("model");
    CHECK(model.at("unk_token").string() == "<unk>");
    CHECK(model.at("fuse_unk").boolean());
    CHECK(model.at("byte_fallback").boolean());
    CHECK(model.at("vocab").map().size() == 276);
    // User-defined blanks are spelled as the model sees them.
    CHECK(model.at("vocab").at("\u2581\u2581").integer() == 274);
    std::vector<std::string> merges;
    for (const Json& merge : model.at("merges").list())
        merges.push_back(merge.string());
    CHECK(merges == std::vector<std::string>{"\u2581 h",
                                             "e l",
                                             "l o",
                                             "\u2581h el",
                                             "\u2581he l",
                                             "\u2581hel lo",
                                             "l l",
                                             "\u2581 w",
                                             "\u2581h e",
                                             "\u2581 \u2581"});
}

TEST_CASE("SentencePiece's blanks are replaced, and prefixed where the file says so") {
    Json prefixed = file_of("mistral", "tokenizer.json");
    CHECK(type_of(prefixed.at("normalizer")) == "Sequence");
    CHECK(prefixed.at("normalizer").at("normalizers").list()[0].at("prepend").string() == "\u2581");
    CHECK(prefixed.at("decoder").at("decoders").list().size() == 4);
    Json plain = file_of("gemma2", "tokenizer.json");
    CHECK(type_of(plain.at("normalizer")) == "Replace");
    CHECK(plain.at("decoder").at("decoders").list().size() == 3);
    CHECK(plain.at("pre_tokenizer").is_null());
}

TEST_CASE("special tokens and the chat template are kept") {
    Json config = file_of("llama", "tokenizer_config.json");
    CHECK(config.at("chat_template").string() == "{{ messages }}");
    CHECK(config.at("bos_token").string() == "<s>");
    CHECK(config.at("eos_token").string() == "</s>");
    CHECK_FALSE(config.find("pad_token"));
    CHECK(config.at("model_max_length").integer() == 512);
    CHECK(file_of("mistral", "special_tokens_map.json").at("unk_token").string() == "<unk>");
    CHECK(file_of("mistral", "generation_config.json").at("eos_token_id").integer() == 2);
    CHECK(file_of("mistral", "config.json").at("bos_token_id").integer() == 1);
}

TEST_CASE("a model that ends turns by another token ends its text by both") {
    TemporaryFolder folder;
    GgufImport model = GgufImport::open(
        with_keys(folder,
                  kGgufModels / "llama.gguf",
                  {stored_key("tokenizer.ggml.eot_token_id", GgufKind::u32, 2),
                   stored_key("tokenizer.ggml.add_bos_token", GgufKind::boolean, '\1'),
                   stored_key("tokenizer.ggml.padding_token_id", GgufKind::u32, 0xffffffff),
                   stored_key("tokenizer.chat_template.tools", "{{ tools }}")}));
    Json generation = Json::parse(small_file(model, "generation_config.json"));
    REQUIRE(generation.at("eos_token_id").list().size() == 2);
    CHECK(generation.at("eos_token_id").list()[0].integer() == 1);
    CHECK(generation.at("eos_token_id").list()[1].integer() == 2);
    CHECK_FALSE(generation.find("pad_token_id"));
    Json config = Json::parse(small_file(model, "tokenizer_config.json"));
    CHECK(config.at("eos_token").string() == "</s>");
    CHECK(config.at("add_bos_token").boolean());
    REQUIRE(config.at("chat_template").list().size() == 2);
    CHECK(config.at("chat_template").list()[1].at("name").string() == "tools");
    CHECK(config.at("chat_template").list()[1].at("template").string() == "{{ tools }}");
}

TEST_CASE("T2: a vocabulary that contradicts itself is refused with the index") {
    auto said = said_of_altered;
    CHECK(said("llama", stored_text("he ll"), stored_text("he_ll")) ==
          "merge 2 is 'he_ll', not two tokens");
    CHECK(said("llama", stored_text("hell o"), stored_text("h ll o")) ==
          "merge 3 is 'h ll o', not two tokens");
    CHECK(said("llama", stored_text("hell o"), stored_text("hell 0")) ==
          "merge 3 is 'hell 0', and 'hell0' is no token of the model");
    CHECK(said("llama", stored_text("</s>"), stored_text("hell")) ==
          "tokens 1 and 261 are both 'hell'");
    CHECK(said("llama", stored_text("<s>"), stored_text("<\xff>")) == "token 0 is not UTF-8");
    std::string bos = "tokenizer.ggml.bos_token_id" + stored(4);
    CHECK(said("llama", bos + stored(0), bos + stored(265)) ==
          "'tokenizer.ggml.bos_token_id' is 265, and there are 265 tokens");
    std::string types =
        "tokenizer.ggml.token_type" + stored(9) + stored(5) + stored(std::uint64_t{272});
    CHECK(said("llama", types + stored(3), types + stored(7)) ==
          "token 0 is of the unknown type 7");
    std::string scores =
        "tokenizer.ggml.scores" + stored(9) + stored(6) + stored(std::uint64_t{276});
    CHECK(said("mistral", scores + stored(0.0F), scores + stored(NAN)) ==
          "the score of token 0 is no number");
    CHECK(said("mistral", "tokenizer.ggml.scores", "tokenizer.ggml.scared") ==
          "the key 'tokenizer.ggml.scores' is missing");
    CHECK(said("llama", stored_text("gpt2"), stored_text("bert")) ==
          "the tokenizer 'bert' is not supported");
}

}  // namespace
}  // namespace stillroom::lm
