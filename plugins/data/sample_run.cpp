#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/json_value.h"
#include "engine/plugin/output_file.h"
#include "plugins/data/compute.h"
#include "plugins/data/many_texts.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/indexed_writer.h"
#include "plugins/lm/data/vocabulary_facts.h"
#include "plugins/lm/modules/device.h"
#include "plugins/lm/modules/load.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTexts = "texts.jsonl";
constexpr const char* kPrefix = "text_document";

/// As config.json spells it.
std::string type_name(SampleSettings::Dtype dtype) {
    switch (dtype) {
        case SampleSettings::Dtype::bf16:
            return "bfloat16";
        case SampleSettings::Dtype::fp16:
            return "float16";
        case SampleSettings::Dtype::fp32:
            return "float32";
        case SampleSettings::Dtype::auto_:
            break;
    }
    return "auto";
}

lm::Loaded load_writer(RunContext& context, const SampleSettings& settings) {
    lm::keep_freed_memory();
    at::set_num_threads(context.threads());
    at::Device device = lm::compute_device(
        context.decided("device", [&] { return lm::compute_device(context.device()).str(); }));
    std::string dtype = context.decided("dtype", [&] {
        at::ScalarType type = lm::compute_type(type_name(settings.dtype), device);
        return std::string(type == at::kFloat      ? "float32"
                           : type == at::kBFloat16 ? "bfloat16"
                                                   : "float16");
    });
    return lm::load_decoder(context.input("model"), device, lm::compute_type(dtype, device));
}

/// The first token of a text that nobody begins.
std::vector<std::int64_t> first_token(const lm::Tokenizer& tokenizer) {
    const lm::SpecialIds& special = tokenizer.special();
    if (!special.begin && !special.end)
        throw Error({}, "the tokenizer names no token that begins or ends a text")
            .key(SampleSettings::Key().prompts)
            .hint("prompts=[...] says what texts begin with")
            .exit_code(kExitBadInput);
    return {static_cast<std::int64_t>(special.begin ? *special.begin : *special.end)};
}

std::vector<std::vector<std::int64_t>> prompt_ids(const SampleSettings& settings,
                                                  const lm::Tokenizer& tokenizer,
                                                  std::int64_t positions) {
    std::vector<std::vector<std::int64_t>> out;
    for (std::size_t i = 0; i < settings.prompts.size(); i++) {
        std::vector<std::uint32_t> ids = tokenizer.encode(
            settings.prompts[i], {.add_special = true, .allow_special = settings.allow_special});
        out.emplace_back(ids.begin(), ids.end());
        if (ids.empty())
            throw Error({}, "the prompt is no token at all")
                .key(SampleSettings::Key().prompts[i])
                .exit_code(kExitBadInput);
        if (positions > 0 && std::ssize(ids) + settings.max_length > positions)
            throw Error({},
                        fmt::format("a prompt of {} tokens and a text of {}: the model knows {} "
                                    "positions",
                                    ids.size(),
                                    settings.max_length,
                                    positions))
                .key(SampleSettings::Key().prompts[i])
                .hint("a smaller max_length leaves room")
                .exit_code(kExitBadInput);
    }
    if (out.empty())
        out.push_back(first_token(tokenizer));
    return out;
}

/// What is written of the texts: tokens, and the same as lines of JSON.
class Shelf {
public:
    Shelf(RunContext& context,
          const SampleSettings& settings,
          const lm::Tokenizer& tokenizer,
          const Writing& writing)
        : settings_(settings),
          tokenizer_(tokenizer),
          writing_(writing),
          facts_(lm::vocabulary_facts(tokenizer)),
          folder_(context.output("data")),
          tokens_(context, folder_ / kPrefix, lm::token_type_for(facts_.size)),
          lines_(context, folder_ / kTexts) {}

    std::int64_t tokens() const { return tokens_.tokens(); }
    std::int64_t documents() const { return tokens_.documents(); }

    void add(std::size_t number, const Written& text) {
        std::vector<std::uint32_t> ids;
        std::string words;
        if (settings_.keep_prompt && !settings_.prompts.empty()) {
            const std::vector<std::int64_t>& prompt =
                writing_.prompts[number % writing_.prompts.size()];
            ids.assign(prompt.begin(), prompt.end());
        }
        ids.insert(ids.end(), text.ids.begin(), text.ids.end());
        JsonWriter line;
        line.begin_object();
        line.key("text"), line.string(tokenizer_.decode(ids, /*skip_special=*/true));
        line.end_object();
        lines_.write(line.take() + "\n");
        if (facts_.eod)
            ids.push_back(*facts_.eod);
        tokens_.add_document(ids);
    }

    void close() {
        tokens_.close();
        lines_.close();
        lm::DatasetInfo info;
        info.parts.push_back({kPrefix,
                              "text",
                              {},
                              lm::Count::exactly(tokens_.documents()),
                              lm::Count::exactly(tokens_.tokens())});
        info.describe_vocabulary(facts_);
        info.source = {fmt::format("sampled: temperature {}, top_p {}, seed {}",
                                   settings_.temperature,
                                   settings_.top_p,
                                   settings_.seed)};
        lm::write_dataset_info(folder_, info);
    }

private:
    const SampleSettings& settings_;
    const lm::Tokenizer& tokenizer_;
    const Writing& writing_;
    lm::VocabularyFacts facts_;
    fs::path folder_;
    lm::IndexedWriter tokens_;
    OutputFile lines_;
};

/// The texts so far, in work(), so that a stage that was stopped goes on behind them: a text
/// depends on its number alone.
class Draft {
public:
    explicit Draft(const fs::path& path) : path_(path) {
        std::error_code ignored;
        std::string kept;
        if (fs::exists(path, ignored)) {
            std::string text = read_file(path, kLargestDraft);
            for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos;
                 begin = end + 1) {
                std::string_view line = std::string_view(text).substr(begin, end - begin);
                Written written;
                for (const Json& id : Json::parse(line).list())
                    written.ids.push_back(id.integer());
                texts_.push_back(std::move(written));
                kept.append(line).append("\n");
            }
        }
        replace_file(path, kept, /*synced=*/false);
        file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    }

    const std::vector<Written>& texts() const { return texts_; }

    void add(const Written& text) {
        JsonWriter line;
        line.begin_array();
        for (std::int64_t id : text.ids)
            line.integer(id);
        line.end_array();
        write_all(file_, line.take() + "\n", path_);
    }

private:
    static constexpr std::size_t kLargestDraft = std::size_t{4} << 30;

    fs::path path_;
    std::vector<Written> texts_;
    Descriptor file_;
};

}  // namespace

extern "C" void stillroom_data_sample(const SampleSettings& settings, RunContext& context) {
    lm::Tokenizer tokenizer = lm::Tokenizer::read(context.input("model"));
    lm::Loaded loaded = load_writer(context, settings);
    Writing writing;
    writing.prompts = prompt_ids(settings, tokenizer, loaded.decoder.config.max_positions);
    writing.stop_ids.assign(tokenizer.special().stops.begin(), tokenizer.special().stops.end());
    writing.max_length = settings.max_length;
    writing.batch = settings.batch;
    writing.sampling = {.temperature = settings.temperature,
                        .top_k = settings.top_k.value_or(0),
                        .top_p = settings.top_p,
                        .seed = static_cast<std::uint64_t>(settings.seed)};
    lm::check_sampling(writing.sampling);
    std::int64_t wanted_tokens = settings.tokens.value_or(std::numeric_limits<std::int64_t>::max());
    auto wanted_texts = static_cast<std::size_t>(
        settings.documents.value_or(std::numeric_limits<std::int64_t>::max()));

    Shelf shelf(context, settings, tokenizer, writing);
    Draft draft(context.work() / "texts.jsonl");
    bool stopped = false;
    std::int64_t empty = 0;
    auto take = [&](std::size_t number, const Written& text) {
        empty = text.ids.empty() ? empty + 1 : 0;
        if (empty > 1000)
            throw Error({}, "the model ends its texts before they begin: 1000 times on end")
                .key(SampleSettings::Key().prompts)
                .hint("prompts=[...] gives it something to go on with")
                .exit_code(kExitBadInput);
        if (!text.ids.empty() || settings.documents)
            shelf.add(number, text);
        return shelf.tokens() < wanted_tokens;
    };
    std::size_t first = 0;
    bool more = true;
    for (const Written& text : draft.texts())
        if (more)
            more = take(first++, text);
    if (more)
        write_texts(
            loaded.decoder,
            writing,
            first,
            wanted_texts,
            [&](std::size_t number, const Written& text) {
                draft.add(text);
                return take(number, text);
            },
            [&](std::int64_t tokens) {
                double share = settings.tokens ? static_cast<double>(shelf.tokens()) /
                                                     static_cast<double>(wanted_tokens)
                                               : static_cast<double>(shelf.documents()) /
                                                     static_cast<double>(wanted_texts);
                context.progress(
                    std::min(share, 1.0),
                    fmt::format("{} texts, {} tokens drawn", shelf.documents(), tokens));
                stopped = context.cancelled();
                return !stopped;
            });
    if (stopped) {
        context.saved();
        return;
    }
    loaded.files->check();
    shelf.close();
    context.text(
        fmt::format("{} texts, {} tokens, in {}\n", shelf.documents(), shelf.tokens(), kTexts));
}

}  // namespace stillroom::data
