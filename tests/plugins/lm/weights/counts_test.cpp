// Parameters of the published models, to the last digit.
#include "plugins/lm/weights/counts.h"

#include "plugins/lm/config/new_config.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

struct Published {
    const char* name;
    Family family;
    bool tied;
    std::int64_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab, parameters;
};

using enum Family;

constexpr Published kPublished[] = {
    {"Llama 2 7B", llama, false, 4096, 32, 32, 32, 128, 11008, 32000, 6'738'415'616},
    {"Llama 2 70B", llama, false, 8192, 80, 64, 8, 128, 28672, 32000, 68'976'648'192},
    {"Llama 3.2 1B", llama, true, 2048, 16, 32, 8, 64, 8192, 128256, 1'235'814'400},
    {"Llama 3.2 3B", llama, true, 3072, 28, 24, 8, 128, 8192, 128256, 3'212'749'824},
    {"Llama 3.1 8B", llama, false, 4096, 32, 32, 8, 128, 14336, 128256, 8'030'261'248},
    {"Llama 3.1 70B", llama, false, 8192, 80, 64, 8, 128, 28672, 128256, 70'553'706'496},
    {"Llama 3.1 405B", llama, false, 16384, 126, 128, 8, 128, 53248, 128256, 405'853'388'800},
    {"SmolLM2 135M", llama, true, 576, 30, 9, 3, 64, 1536, 49152, 134'515'008},
    {"SmolLM2 360M", llama, true, 960, 32, 15, 5, 64, 2560, 49152, 361'821'120},
    {"SmolLM2 1.7B", llama, true, 2048, 24, 32, 32, 64, 8192, 49152, 1'711'376'384},
    {"Qwen2.5 0.5B", qwen2, true, 896, 24, 14, 2, 64, 4864, 151936, 494'032'768},
    {"Qwen2.5 1.5B", qwen2, true, 1536, 28, 12, 2, 128, 8960, 151936, 1'543'714'304},
    {"Qwen2.5 3B", qwen2, true, 2048, 36, 16, 2, 128, 11008, 151936, 3'085'938'688},
    {"Qwen2.5 7B", qwen2, false, 3584, 28, 28, 4, 128, 18944, 152064, 7'615'616'512},
    {"Qwen2.5 14B", qwen2, false, 5120, 48, 40, 8, 128, 13824, 152064, 14'770'033'664},
    {"Qwen2.5 32B", qwen2, false, 5120, 64, 40, 8, 128, 27648, 152064, 32'763'876'352},
    {"Qwen2.5 72B", qwen2, false, 8192, 80, 64, 8, 128, 29568, 152064, 72'706'203'648},
    {"Qwen3 0.6B", qwen3, true, 1024, 28, 16, 8, 128, 3072, 151936, 596'049'920},
    {"Qwen3 1.7B", qwen3, true, 2048, 28, 16, 8, 128, 6144, 151936, 1'720'574'976},
    {"Qwen3 4B", qwen3, true, 2560, 36, 32, 8, 128, 9728, 151936, 4'022'468'096},
    {"Qwen3 8B", qwen3, false, 4096, 36, 32, 8, 128, 12288, 151936, 8'190'735'360},
    {"Qwen3 14B", qwen3, false, 5120, 40, 40, 8, 128, 17408, 151936, 14'768'307'200},
    {"Qwen3 32B", qwen3, false, 5120, 64, 64, 8, 128, 25600, 151936, 32'762'123'264},
    {"Qwen3 8B cut to 30 layers", qwen3, false, 3584, 30, 32, 8, 128, 11776, 151936, 5'988'774'912},
    {"Qwen3 8B cut to 34 layers", qwen3, false, 3328, 34, 32, 8, 128, 11264, 151936, 5'993'833'216},
    {"Qwen3 8B cut to 32 layers", qwen3, false, 3840, 32, 32, 8, 128, 12288, 151936, 6'955'265'792},
    {"Qwen3 8B cut to 24 layers", qwen3, false, 4096, 24, 32, 8, 128, 12288, 151936, 5'875'378'176},
    {"Mistral 7B v0.1", mistral, false, 4096, 32, 32, 8, 128, 14336, 32000, 7'241'732'096},
    {"Mistral 7B v0.3", mistral, false, 4096, 32, 32, 8, 128, 14336, 32768, 7'248'023'552},
    {"Mistral Small 24B", mistral, false, 5120, 40, 32, 8, 128, 32768, 131072, 23'572'403'200},
    {"Gemma 2B", gemma, true, 2048, 18, 8, 1, 256, 16384, 256000, 2'506'172'416},
    {"Gemma 7B", gemma, true, 3072, 28, 16, 16, 256, 24576, 256000, 8'537'680'896},
    {"Gemma 2 2B", gemma2, true, 2304, 26, 8, 4, 256, 9216, 256000, 2'614'341'888},
    {"Gemma 2 9B", gemma2, true, 3584, 42, 16, 8, 256, 14336, 256000, 9'241'705'984},
    {"Gemma 2 27B", gemma2, true, 4608, 46, 32, 16, 128, 36864, 256000, 27'227'128'320},
    {"Gemma 3 1B", gemma3, true, 1152, 26, 4, 1, 256, 6912, 262144, 999'885'952},
    {"Gemma 3 4B", gemma3, true, 2560, 34, 8, 4, 256, 10240, 262208, 3'880'263'168},
    {"Gemma 3 12B", gemma3, true, 3840, 48, 16, 8, 256, 15360, 262208, 11'766'034'176},
    {"Gemma 3 27B", gemma3, true, 5376, 62, 32, 16, 128, 21504, 262208, 27'009'346'304},
    {"Minitron 4B", nemotron, false, 3072, 32, 24, 8, 128, 9216, 256000, 4'190'509'056},
    {"Minitron 8B", nemotron, false, 4096, 32, 48, 8, 128, 16384, 256000, 8'271'699'968},
    {"Granite 3.1 2B", granite, true, 2048, 40, 32, 8, 64, 8192, 49155, 2'533'531'648},
    {"Granite 3.1 8B", granite, true, 4096, 40, 32, 8, 128, 12800, 49155, 8'170'848'256},
};

TEST_CASE("parameters of the published models are counted to the last digit") {
    for (const Published& row : kPublished) {
        CAPTURE(row.name);
        ModelConfig model = new_model({.family = row.family,
                                       .hidden = row.hidden,
                                       .layers = row.layers,
                                       .heads = row.heads,
                                       .kv_heads = row.kv_heads,
                                       .head_dim = row.head_dim,
                                       .ffn = row.ffn,
                                       .vocab = row.vocab,
                                       .tied = row.tied});
        Counts counts = count(weight_table(model));
        CHECK(counts.total == row.parameters);
        CHECK(counts.active == row.parameters);
        CHECK(counts.embedding == row.vocab * row.hidden * (row.tied ? 1 : 2));
    }
}

TEST_CASE("Qwen3 8B takes 15,622.6 MiB of weights and 576 of keys and values") {
    ModelConfig model = new_model({.family = qwen3,
                                   .hidden = 4096,
                                   .layers = 36,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .ffn = 12288,
                                   .vocab = 151936});
    CHECK(weight_bytes(weight_table(model), 16) == 2 * 8'190'735'360);
    CHECK(kv_elements(model) * 4096 * 2 == std::int64_t{576} << 20);
}

}  // namespace
}  // namespace stillroom::lm
