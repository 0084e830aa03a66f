#include "plugins/lm/weights/gguf_import.h"

#include "engine/base/digest.h"
#include "engine/base/json_value.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/strict_check.h"
#include "plugins/lm/weights/tensor_folder.h"
#include "tests/plugins/lm/weights/gguf_altered.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

const std::filesystem::path kSplit = kGgufModels / "split-00001-of-00002.gguf";

std::vector<std::byte> read_tensor(const GgufImport& model, std::size_t i, unsigned threads) {
    std::vector<std::byte> bytes(model.tensors()[i].bytes);
    CHECK_FALSE(model.read(i, bytes, threads).any());
    return bytes;
}

std::string_view text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("each architecture's tensors are those that transformers makes, bit for bit") {
    for (const std::string& name : list_folder(kGgufModels)) {
        if (!name.ends_with(".json"))
            continue;
        CAPTURE(name);
        GgufImport model = GgufImport::open(
            name == "split.json" ? kSplit : (kGgufModels / name).replace_extension("gguf"));
        Json digests = Json::parse(read_file(kGgufModels / name, 1 << 20));
        CHECK(model.tensors().size() == digests.map().size());
        std::uint64_t offset = 0;
        for (std::size_t i = 0; i < model.tensors().size(); ++i) {
            const TensorInfo& info = model.tensors()[i];
            CAPTURE(info.name);
            CHECK(info.dtype == Dtype::bf16);
            CHECK(info.offset == offset);
            offset += info.bytes;
            std::vector<std::byte> bytes = read_tensor(model, i, 1);
            CHECK(digest_of(text_of(bytes)) == digests.at(info.name).string());
            CHECK(read_tensor(model, i, 3) == bytes);
        }
    }
}

TEST_CASE("the first file of a split model stands for all, and each must be there and say so") {
    CHECK(GgufFile::open(kSplit).parts().size() == 2);
    TemporaryFolder folder;
    const std::string first = "split-00001-of-00002.gguf", second = "split-00002-of-00002.gguf";
    std::string one = read_file(kGgufModels / first, 1 << 20),
                two = read_file(kGgufModels / second, 1 << 20);
    auto said = [&](const std::string& name) -> std::string {
        try {
            GgufImport::open(folder / name);
            return "nothing";
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitBadInput);
            std::string what = error.what();
            return what.substr(what.find(": ") + 2);
        }
    };
    folder.write(first, one);
    CHECK(said(first) == "file 2 of 2 is not beside it: " + second);
    folder.write(second, two);
    CHECK(said(first) == "nothing");
    CHECK(said(second) == "it is one of 2 files of a model that was split, and not the first");
    folder.write("other.gguf", one);
    CHECK(said("other.gguf") ==
          "it is the first of 2 files, whose name ends with -00001-of-00002.gguf");
    folder.write(second, one);
    CHECK(said(first) == "it does not say that it is file 2 of 2");
    auto with = [](std::string text, const std::string& from, const std::string& to) {
        return text.replace(text.find(from), from.size(), to);
    };
    auto many = [](std::uint16_t count) { return stored_key("split.count", GgufKind::u16, count); };
    folder.write(first, with(one, many(2), many(65535)));
    CHECK(said(first) == "split.count is 65535, over the limit of 999 files");
    folder.write(first, one);
    folder.write(second, two.substr(0, two.size() - 64));
    CHECK(said(first).find("tensor") != std::string::npos);
}

TEST_CASE("other types hold the same numbers") {
    GgufImport bf16 = GgufImport::open(kGgufModels / "llama.gguf");
    GgufImport f32 = GgufImport::open(kGgufModels / "llama.gguf", Dtype::f32);
    CHECK(f32.model().dtype == "float32");
    for (std::size_t i = 0; i < bf16.tensors().size(); ++i) {
        CHECK(f32.tensors()[i].bytes == 2 * bf16.tensors()[i].bytes);
        std::vector<std::byte> exact = read_tensor(f32, i, 1);
        std::vector<std::byte> rounded(bf16.tensors()[i].bytes);
        convert(Dtype::f32, exact, Dtype::bf16, rounded);
        CHECK(rounded == read_tensor(bf16, i, 1));
    }
    CHECK(GgufImport::open(kGgufModels / "llama.gguf", Dtype::f16).tensors()[0].dtype ==
          Dtype::f16);
}

TEST_CASE("numbers that went through fp32 are what they were") {
    GgufImport model = GgufImport::open(kGgufModels / "llama.gguf");
    CHECK(model.model().norm_eps == 1e-5);
    CHECK(small_file(model, "config.json").find("\"rms_norm_eps\": 1e-05") != std::string::npos);
    CHECK(model.model().family == Family::llama);
    CHECK_FALSE(model.model().tied);
    CHECK(model.model().vocab == 272);
    CHECK(model.model().max_positions == 512);
    CHECK(model.model().layers.size() == 2);
    CHECK(model.model().layers[1].attention->head_dim == 16);
}

TEST_CASE("each family's own numbers come out of its keys") {
    auto model = [](const char* name) {
        return GgufImport::open(kGgufModels / (std::string(name) + ".gguf")).model();
    };
    ModelConfig llama3 = model("llama3");
    const Rope& rope = llama3.layers[0].attention->rope;
    CHECK(rope.scaling == RopeScaling::llama3);
    CHECK(rope.theta == 500000);
    CHECK(rope.factor == 8);
    CHECK(rope.low_freq_factor == 1);
    CHECK(rope.high_freq_factor == 4);
    CHECK(rope.original_length == 8192);

    CHECK(model("mistral").family == Family::mistral);
    CHECK(model("mistral").layers[0].attention->window == 64);
    CHECK(model("qwen2").qkv_bias);
    CHECK(model("qwen2").tied);
    CHECK(model("qwen2").layers[0].attention->head_dim == 8);

    ModelConfig qwen3 = model("qwen3");
    CHECK(qwen3.qk_norm);
    CHECK(qwen3.layers[0].attention->rope.scaling == RopeScaling::yarn);
    CHECK(qwen3.layers[0].attention->rope.factor == 4);
    CHECK(qwen3.layers[0].attention->rope.original_length == 128);

    CHECK(model("gemma").scaled_embedding);
    ModelConfig gemma2 = model("gemma2");
    CHECK(gemma2.attention_cap == 50);
    CHECK(gemma2.final_cap == 30);
    CHECK(gemma2.layers[0].attention->window == 64);
    CHECK(gemma2.attention_scale == doctest::Approx(0.25));

    ModelConfig gemma3 = model("gemma3");
    CHECK(gemma3.four_norms);
    CHECK(gemma3.layers[0].attention->window == 64);
    CHECK(gemma3.layers[0].attention->rope.theta == 10000);
    CHECK(gemma3.layers[0].attention->rope.scaling == RopeScaling::none);
    CHECK_FALSE(gemma3.layers[1].attention->window);
    CHECK(gemma3.layers[1].attention->rope.theta == 1000000);
    CHECK(gemma3.layers[1].attention->rope.scaling == RopeScaling::linear);
    CHECK(gemma3.layers[1].attention->rope.factor == 8);
    CHECK_FALSE(gemma3.attention_cap);

    ModelConfig granite = model("granite");
    CHECK(granite.attention_scale == 0.015625);
    CHECK(granite.embedding_scale == 12);
    CHECK(granite.branch_scale == 0.22);
    CHECK(granite.logit_divisor == 8);

    ModelConfig nemotron = model("nemotron");
    CHECK(nemotron.norm == Norm::layer_plus_one);
    CHECK(nemotron.activation == Activation::relu_squared);
    CHECK_FALSE(nemotron.gated);
    CHECK(nemotron.layers[0].attention->rope.rotary_dim == 8);
}

TEST_CASE("a folder written from a GGUF file passes the checks of any model folder") {
    for (const char* name : {"llama", "qwen2", "gemma3", "nemotron", "granite"}) {
        CAPTURE(name);
        GgufImport model = GgufImport::open(kGgufModels / (std::string(name) + ".gguf"));
        TemporaryFolder folder;
        NumberCounts counts;
        save_model(folder / "model", model.new_tensors(2, counts), {});
        CHECK_FALSE(counts.any());
        for (const GgufImport::SmallFile& file : model.files())
            folder.write("model/" + file.name, file.text);
        ConfigFile config = ConfigFile::read(folder / "model/config.json");
        CHECK(config.model() == model.model());
        TensorFolder tensors = TensorFolder::open(folder / "model");
        strict_check(config.model(), weight_table(config.model()), tensors);
        for (std::size_t i = 0; i < model.tensors().size(); ++i) {
            FolderTensor tensor = tensors.at(model.tensors()[i].name);
            std::span<const std::byte> bytes = tensor.file->bytes(*tensor.info);
            CHECK(std::vector(bytes.begin(), bytes.end()) == read_tensor(model, i, 1));
        }
    }
}

TEST_CASE("M17: what a folder could not hold is refused by name") {
    auto said = said_of_altered;
    CHECK(said("gemma", "gemma", "gemna").starts_with("the architecture 'gemna' is not supported"));
    CHECK(said("llama", "llama.block_count", "llama.black_count") ==
          "the key 'llama.block_count' is missing");
    CHECK(said("llama", "general.architecture", "general.architexture") ==
          "the key 'general.architecture' is missing");
    CHECK(said("nemotron", "nemotron.rope.freq_base", "nemotron.rope.freq_bass") ==
          "the key 'nemotron.rope.freq_bass' is not understood");
    CHECK(said("qwen3", stored_text("yarn"), stored_text("worn")) ==
          "RoPE of type 'worn' is not supported");
    CHECK(said("llama", "blk.1.attn_q.weight", "blk.1.attn_x.weight") ==
          "the tensor 'blk.1.attn_q.weight' (model.layers.1.self_attn.q_proj.weight) is missing");
    CHECK(said("llama3", "rope_freqs.weight", "rope_freks.weight") ==
          "the tensor 'rope_freks.weight' is none of the model's");
    CHECK(said("llama", "output.weight", "outfit.weight")
              .starts_with("the tensor 'blk.0.attn_output.weight'"));
    CHECK(said("llama",
               "llama.feed_forward_length" + stored(4) + stored(64),
               "llama.feed_forward_length" + stored(4) + stored(96))
              .starts_with("the tensor 'blk.0.ffn_gate.weight' (model.layers.0.mlp.gate_proj."
                           "weight) has the shape [64, 32], not [96, 32]"));
    // A block type of the same size that is not read: Q4_0 stored as IQ4_NL.
    std::string info =
        "token_embd.weight" + stored(2) + stored(std::int64_t{32}) + stored(std::int64_t{272});
    CHECK(said("llama", info + stored(2), info + stored(20)) ==
          "the tensor 'token_embd.weight' is stored in IQ4_NL, which is not supported");
}

TEST_CASE("M17: keys that name no possible model are refused") {
    auto said = [&](const std::string& key, std::uint32_t from, std::uint32_t to) {
        std::string start = "llama." + key + stored(4);
        return said_of_altered("llama", start + stored(from), start + stored(to));
    };
    CHECK(said("attention.head_count", 4, 0) == "llama.attention.head_count is 0, not 1 to 65536");
    CHECK(said("attention.head_count_kv", 2, 3) == "4 heads are no multiple of 3 KV heads");
    CHECK(said("block_count", 2, 1000000000) == "llama.block_count is 1000000000, not 1 to 4096");
    CHECK(said("embedding_length", 32, 0) == "llama.embedding_length is 0, not 1 to 1048576");
    CHECK(said("rope.dimension_count", 16, 8) ==
          "llama.rope.dimension_count is 8 where a head has 16 dims");
    CHECK(said("attention.value_length", 16, 8) ==
          "llama.attention.value_length is 8, which is not supported");
}

TEST_CASE("a list with a number for each layer is read where all are equal") {
    TemporaryFolder folder;
    auto path =
        altered_gguf(folder, "llama", "llama.feed_forward_length", "xlama.feed_forward_length");
    auto widths = [&](std::uint32_t first, std::uint32_t second) {
        return with_keys(folder,
                         path,
                         {stored_text("llama.feed_forward_length") + stored(9) + stored(4) +
                          stored(std::uint64_t{2}) + stored(first) + stored(second)});
    };
    CHECK(GgufImport::open(widths(64, 64)).model().layers[1].mlp->width == 64);
    CHECK(said_of(widths(64, 32)) ==
          "llama.feed_forward_length differs from layer to layer, which is not supported");
}

TEST_CASE("a list says which layers of a Gemma 3 have a window") {
    TemporaryFolder folder;
    std::string key = "gemma3.attention.sliding_window_pattern";
    auto path = altered_gguf(folder, "gemma3", key, "x" + key.substr(1));
    auto list = [&](std::string items) {
        return with_keys(folder,
                         path,
                         {stored_text(key) + stored(9) + stored(7) +
                          stored(std::uint64_t{items.size()}) + items});
    };
    ModelConfig model = GgufImport::open(list(std::string("\0\1", 2))).model();
    CHECK_FALSE(model.layers[0].attention->window);
    CHECK(model.layers[1].attention->window == 64);
    CHECK(said_of(list(std::string(3, '\1'))) == key + " has 3 items for 2 layers");
}

TEST_CASE("what would change the numbers silently is refused") {
    TemporaryFolder folder;
    auto said = [&](const std::string& key) {
        return said_of(with_keys(folder, kGgufModels / "qwen3.gguf", {key}));
    };
    CHECK(said(stored_key("split.count", GgufKind::u16, std::uint16_t{3})) ==
          "it is one of 3 files of a model that was split, and not the first");
    CHECK(said(stored_key("qwen3.expert_count", GgufKind::u32, 8)) ==
          "qwen3.expert_count is 8, which is not supported");
    CHECK(said(stored_key("qwen3.expert_count", GgufKind::u32, 0)) == "nothing");
    CHECK(said(stored_key("qwen3.rope.scaling.attn_factor", GgufKind::f32, 2.0F)) ==
          "qwen3.rope.scaling.attn_factor is 2, which is not supported");
    CHECK(said(stored_key("qwen3.logit_scale", GgufKind::f32, 2.0F)) ==
          "the key 'qwen3.logit_scale' is not understood");
    CHECK(said(stored_key("qwen3.attention.causal", GgufKind::boolean, '\0')) ==
          "qwen3.attention.causal is false, which is not supported");
    CHECK(said(stored_key("qwen3.vocab_size", GgufKind::u32, 9))
              .starts_with("qwen3.vocab_size is 9, and 'token_embd.weight' has"));
    CHECK(said(stored_key("quantize.imatrix.file", "somewhere")) == "nothing");
}

TEST_CASE("what no weight should be is counted while it is read") {
    TemporaryFolder folder;
    GgufFile file = GgufFile::open(kGgufModels / "llama.gguf");
    std::string bytes = read_file(kGgufModels / "llama.gguf", 1 << 20);
    float bad[2] = {NAN, INFINITY};
    std::memcpy(&bytes[file.tensor("output_norm.weight")->offset + 8], bad, sizeof bad);
    GgufImport model = GgufImport::open(folder.write("bad.gguf", bytes));
    NumberCounts counts;
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        std::vector<std::byte> out(model.tensors()[i].bytes);
        counts += model.read(i, out, 2);
    }
    CHECK(counts.nan == 1);
    CHECK(counts.infinite == 1);
}

TEST_CASE("M16: a file that is cut while its tensors are read is an error") {
    TemporaryFolder folder;
    fs::path path = folder.write("a.gguf", read_file(kGgufModels / "llama.gguf", 1 << 20));
    GgufImport model = GgufImport::open(path);
    fs::resize_file(path, fs::file_size(path) / 2);
    std::size_t failed = 0;
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        std::vector<std::byte> out(model.tensors()[i].bytes);
        try {
            model.read(i, out, 2);
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitBadInput);
            ++failed;
        }
    }
    CHECK(failed > 0);
}

}  // namespace
}  // namespace stillroom::lm
