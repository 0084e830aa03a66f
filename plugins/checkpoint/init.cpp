#include "plugins/checkpoint/init.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "plugins/checkpoint/cast.h"
#include "plugins/checkpoint/model_folder.h"
#include "plugins/checkpoint/new_tokenizer.h"
#include "plugins/checkpoint/random_weights.h"
#include "plugins/checkpoint/small_files.h"
#include "plugins/checkpoint/stop.h"
#include "plugins/lm/config/families.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/weights/counts.h"

#include <fmt/format.h>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr double kStd = 0.02;
constexpr std::int64_t kRows = 64;  // a vocabulary is padded to a multiple: products like it

lm::Family family_of(std::string_view word) {
    for (const lm::FamilyTraits& traits : lm::all_families())
        if (traits.model_type == word)
            return traits.family;
    throw Error({}, fmt::format("no family '{}'", word)).exit_code(kExitInternal);
}

/// The text of the new config.json, and what else decides the weights.
struct Plan {
    std::string config;
    lm::ModelConfig model;
    double std = kStd;
};

/// Every number beside `config` would be ignored: a mistake.
void refuse_numbers(const StageContext& context) {
    for (const char* name : {"family",
                             "hidden",
                             "layers",
                             "heads",
                             "kv_heads",
                             "head_dim",
                             "ffn",
                             "vocab",
                             "tied",
                             "max_positions",
                             "theta",
                             "window"})
        if (context.given(name))
            context.refuse(name,
                           fmt::format("{} and config are both given", name),
                           "config says the whole shape: edit it, or leave it out");
}

Plan of_config(const StageContext& context, const InitSettings& settings, lm::Dtype dtype) {
    refuse_numbers(context);
    fs::path file = *settings.config;
    std::error_code ignored;
    if (fs::is_directory(file, ignored))
        file /= "config.json";
    lm::ConfigFile config = lm::ConfigFile::read(file);
    config.drop_hooks();
    lm::ModelConfig model = config.model();
    model.dtype = config_dtype(dtype);
    config.express(model);
    Plan plan{config.text(), config.model(), kStd};
    const lm::ConfigValue* range = config.root().find("initializer_range");
    if (range && range->number > 0)
        plan.std = range->number;
    return plan;
}

Plan of_numbers(const StageContext& context, const InitSettings& settings, lm::Dtype dtype) {
    const InitSettings::Key key;
    TokenizerFacts tokens;
    if (context.has("tokenizer"))
        tokens = tokenizer_facts(context.input("tokenizer"));
    lm::NewModel numbers;
    numbers.family = family_of(word(settings.family));
    numbers.hidden = settings.hidden.value_or(0);
    numbers.layers = settings.layers.value_or(0);
    numbers.heads = settings.heads.value_or(0);
    numbers.kv_heads = settings.kv_heads.value_or(0);
    numbers.head_dim = settings.head_dim.value_or(0);
    numbers.ffn = settings.ffn.value_or(0);
    numbers.vocab = settings.vocab.value_or((tokens.ids + kRows - 1) / kRows * kRows);
    numbers.tied = settings.tied;
    numbers.max_positions = settings.max_positions.value_or(0);
    numbers.theta = settings.theta.value_or(0);
    numbers.window = settings.window.value_or(0);
    numbers.dtype = config_dtype(dtype);
    if (numbers.vocab == 0)
        context.refuse(key.vocab,
                       "how many tokens the vocabulary has is not known",
                       "give vocab, or a tokenizer with a tokenizer.json");
    if (settings.vocab && *settings.vocab < tokens.ids)
        context.refuse(
            key.vocab,
            fmt::format("vocab is {}, the tokenizer has {} ids", *settings.vocab, tokens.ids),
            "leave vocab out to have as many rows as there are ids");
    Plan plan;
    plan.model = lm::new_model(numbers);
    for (const lm::Misfit& misfit : lm::misfits(plan.model))
        context.refuse(misfit.key.find("kv") != std::string::npos ? key.kv_heads : key.heads,
                       misfit.message,
                       misfit.hint);
    plan.config = lm::config_json(plan.model, tokens.special);
    return plan;
}

Plan plan_of(const StageContext& context, const InitSettings& settings) {
    lm::Dtype dtype = *asked_dtype(word(settings.dtype));
    Plan plan = settings.config ? of_config(context, settings, dtype)
                                : of_numbers(context, settings, dtype);
    plan.std = settings.std.value_or(plan.std);
    return plan;
}

}  // namespace

void Init::describe(DescribeContext& context) const {
    std::error_code ignored;
    if (context.has("tokenizer") && fs::is_empty(context.input("tokenizer"), ignored))
        return;  // not known before the run
    Plan plan = plan_of(context, settings_);
    write_record_file(context.output("model") / "config.json", plan.config);
    lm::WeightTable table = lm::weight_table(plan.model);
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(lm::count(table).total);
    cost.disk_bytes = static_cast<std::uint64_t>(
        lm::weight_bytes(table, lm::bits_of(*asked_dtype(word(settings_.dtype)))));
    cost.memory_bytes = std::uint64_t{64} << 20;
    context.cost(cost);
}

void Init::run(RunContext& context) try {
    if (context.rank().rank != 0)
        return;
    Plan plan = plan_of(context, settings_);
    fs::path out = context.output("model");
    write_file(out / "config.json", plan.config);
    if (context.has("tokenizer")) {
        fs::path tokenizer = context.input("tokenizer");
        copy_small_files(
            tokenizer,
            list_files(tokenizer),
            out,
            {"config.json", "generation_config.json", "README.md", std::string(lm::kModelIndex)});
    }
    lm::SaveOptions options = watched(context, "drawing weights", 0, 1);
    RandomWeights how{settings_.seed,
                      plan.std,
                      *asked_dtype(word(settings_.dtype)),
                      static_cast<unsigned>(context.threads())};
    lm::WeightTable table = lm::weight_table(plan.model);
    lm::save_model(context, out, random_tensors(plan.model, table, how), options);
} catch (const Stopped&) {
}

}  // namespace stillroom::checkpoint
