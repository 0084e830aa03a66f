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
#include <span>

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
        context.decided("device", [&] { return lm::decided_device(context.device()); }));
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

    /// Tokens that a text is, or will be at least.
    std::int64_t length_of(std::size_t number, const Written& text) const {
        return text.ids.empty()
                   ? 0
                   : std::ssize(kept_prompt(number)) + std::ssize(text.ids) + (facts_.eod ? 1 : 0);
    }

    void add(std::size_t number, const Written& text) {
        std::span<const std::int64_t> prompt = kept_prompt(number);
        std::vector<std::uint32_t> ids(prompt.begin(), prompt.end());
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
    std::span<const std::int64_t> kept_prompt(std::size_t number) const {
        if (!settings_.keep_prompt || settings_.prompts.empty())
            return {};
        return writing_.prompts[number % writing_.prompts.size()];
    }

    const SampleSettings& settings_;
    const lm::Tokenizer& tokenizer_;
    const Writing& writing_;
    lm::VocabularyFacts facts_;
    fs::path folder_;
    lm::IndexedWriter tokens_;
    OutputFile lines_;
};

/// The texts that are done, in work(), in whatever order they came, so that a stage that was
/// stopped goes on with the others. What there was of those is written again: to read it would
/// take as many passes.
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
                Json parsed = Json::parse(line);
                Written& written = texts_[static_cast<std::size_t>(parsed.at("text").integer())];
                written = {.ids = {}, .done = true};
                for (const Json& id : parsed.at("ids").list())
                    written.ids.push_back(id.integer());
                kept.append(line).append("\n");
            }
        }
        replace_file(path, kept, /*synced=*/false);
        file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    }

    Texts texts() { return std::move(texts_); }

    void add(std::size_t number, const Written& text) {
        JsonWriter line;
        line.begin_object();
        line.key("text"), line.integer(static_cast<std::int64_t>(number));
        line.key("ids"), line.begin_array();
        for (std::int64_t id : text.ids)
            line.integer(id);
        line.end_array();
        line.end_object();
        write_all(file_, line.take() + "\n", path_);
    }

private:
    static constexpr std::size_t kLargestDraft = std::size_t{4} << 30;

    fs::path path_;
    Texts texts_;
    Descriptor file_;
};

/// Puts texts on the shelf until there are as many as the settings want.
class Collector final : public Reader {
public:
    Collector(RunContext& context, const SampleSettings& settings, Shelf& shelf, Draft& draft)
        : context_(context),
          settings_(settings),
          shelf_(shelf),
          draft_(draft) {}

    bool stopped() const { return stopped_; }

    void done(std::size_t number, const Written& text) override { draft_.add(number, text); }

    void take(std::size_t number, const Written& text) override {
        taken_ = number + 1;
        empty_ = text.ids.empty() ? empty_ + 1 : 0;
        if (empty_ > 1000)
            throw Error({}, "the model ends its texts before they begin: 1000 times on end")
                .key(SampleSettings::Key().prompts)
                .hint("prompts=[...] gives it something to go on with")
                .exit_code(kExitBadInput);
        if (!text.ids.empty() || settings_.documents)
            shelf_.add(number, text);
    }

    std::size_t enough(const Texts& next) const override {
        if (settings_.documents)
            return static_cast<std::size_t>(*settings_.documents);
        std::int64_t tokens = shelf_.tokens();
        std::size_t number = taken_;
        for (auto text = next.begin(); tokens < *settings_.tokens; ++text, number++) {
            if (text == next.end())
                return std::numeric_limits<std::size_t>::max();
            tokens += shelf_.length_of(number, text->second);
        }
        return number;
    }

    bool look(const Texts& next) override {
        std::int64_t tokens = shelf_.tokens(), open = 0;
        const auto wanted = static_cast<double>(settings_.tokens.value_or(0));
        const std::size_t last = enough(next);
        double begun = 0;                             // of texts, where texts are counted
        auto expected = static_cast<double>(tokens);  // when all that are needed have ended
        for (const auto& [number, text] : next) {
            if (number >= last || (!settings_.documents && expected >= wanted))
                break;
            const std::int64_t length = shelf_.length_of(number, text);
            tokens += length;
            open += !text.done;
            begun += text.done ? 1 : share_of(length);
            expected += text.done ? static_cast<double>(length)
                                  : std::max(usual_length(), static_cast<double>(length) / 0.9);
        }
        double share = settings_.documents
                           ? (static_cast<double>(shelf_.documents()) + begun) /
                                 static_cast<double>(*settings_.documents)
                           : static_cast<double>(tokens) / std::max(expected, wanted);
        context_.progress(std::min(share, 1.0),
                          fmt::format("{} tokens, {} texts at work", tokens, open));
        stopped_ = context_.cancelled();
        return !stopped_;
    }

private:
    double usual_length() const {
        return shelf_.documents() > 0
                   ? static_cast<double>(shelf_.tokens()) / static_cast<double>(shelf_.documents())
                   : static_cast<double>(settings_.max_length);
    }

    /// How much of a text such a length may be.
    double share_of(std::int64_t length) const {
        return std::min(static_cast<double>(length) / std::max(usual_length(), 1.0), 0.9);
    }

    RunContext& context_;
    const SampleSettings& settings_;
    Shelf& shelf_;
    Draft& draft_;
    std::size_t taken_ = 0;
    std::int64_t empty_ = 0;
    bool stopped_ = false;
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
    Shelf shelf(context, settings, tokenizer, writing);
    Draft draft(context.work() / "texts.jsonl");
    Collector collector(context, settings, shelf, draft);
    write_texts(loaded.decoder, writing, 0, draft.texts(), collector);
    if (collector.stopped()) {
        context.saved();
        return;
    }
    loaded.files->check();
    shelf.close();
    context.text(
        fmt::format("{} texts, {} tokens, in {}\n", shelf.documents(), shelf.tokens(), kTexts));
}

}  // namespace stillroom::data
