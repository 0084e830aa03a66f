#include "plugins/data/tokenize.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "plugins/data/text_sources.h"
#include "plugins/data/tokenize_files.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/indexed_writer.h"
#include "plugins/lm/data/vocabulary_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kBesides = std::uint64_t{160} << 20;  // memory of tokenizer and pairs
constexpr std::uint64_t kOfThread = std::uint64_t{24} << 20;

std::vector<std::string> file_texts(const TokenizeSettings& settings) {
    std::vector<std::string> texts;
    if (const auto* one = std::get_if<fs::path>(&settings.files))
        texts.push_back(one->string());
    else
        for (const fs::path& path : std::get<std::vector<fs::path>>(settings.files))
            texts.push_back(path.string());
    return texts;
}

std::vector<std::string> outputs_of(const TokenizeSettings& settings) {
    return settings.holdout > 0 ? std::vector<std::string>{"data", "valid"}
                                : std::vector<std::string>{"data"};
}

/// What can be said of the settings alone.
void check_keys(const StageContext& context, const TokenizeSettings& settings) {
    for (std::size_t i = 0; i < settings.keys.size(); ++i) {
        const std::string& key = settings.keys[i];
        bool names_file = key.find('/') == key.npos && key.find('\0') == key.npos &&
                          !key.starts_with('.') && key.size() <= 200;
        if (!names_file)
            context.refuse(TokenizeSettings::Key().keys[i],
                           fmt::format("'{}' cannot name a file", escape_controls(key)),
                           "each field becomes FIELD_document.bin: its name has no '/', does not "
                           "begin with a dot and is 200 bytes long at most");
    }
}

void check_facts(const StageContext& context,
                 const TokenizeSettings& settings,
                 const lm::VocabularyFacts& facts) {
    if (settings.append_eod && !facts.eod)
        context.refuse(
            TokenizeSettings::Key().append_eod,
            "the tokenizer names no end of text",
            "eos_token of tokenizer_config.json says it: name the folder that holds both "
            "files, or leave append_eod out");
}

void check_files(const StageContext& context,
                 const TokenizeSettings& settings,
                 const std::vector<lm::TextFile>& files) {
    bool only_text = settings.keys.size() == 1 && settings.keys.front() == "text";
    for (const lm::TextFile& file : files)
        if (file.kind == lm::TextKind::text && !only_text)
            context.refuse(TokenizeSettings::Key().keys,
                           fmt::format("{} is plain text, one document: it has no field '{}'",
                                       file.name,
                                       settings.keys.front()),
                           "leave keys out, or name files of JSON lines");
}

/// An error about a file is one of the setting that names it.
template <class Work>
void of_files(Work work) try {
    work();
} catch (Error& error) {
    if (error.setting().empty())
        error.key(TokenizeSettings::Key().files);
    throw;
}

lm::DatasetInfo info_of(const TokenizeSettings& settings,
                        const std::optional<lm::VocabularyFacts>& facts) {
    lm::DatasetInfo info;
    if (facts) {
        info.describe_vocabulary(*facts);
        if (!settings.append_eod)
            info.eod.reset();
    }
    for (const std::string& text : file_texts(settings))
        info.source.push_back(fs::path(text).filename().empty() || text.starts_with("hf:")
                                  ? text
                                  : fs::path(text).filename().string());
    return info;
}

/// Bytes a second and tokens a second since it began, for whoever watches.
class Pace {
public:
    Pace(RunContext& context, const DocumentWriter& writer, std::uint64_t all)
        : context_(context),
          writer_(writer),
          all_(all),
          from_(Clock::now()),
          taken_(writer.taken()),
          tokens_(writer.tokens()) {}

    void tell() {
        std::uint64_t taken = writer_.taken();
        if (taken == told_)
            return;
        told_ = taken;
        double seconds = std::chrono::duration<double>(Clock::now() - from_).count();
        std::string what = "tokenizing";
        if (seconds > 0.5) {
            double bytes = static_cast<double>(taken - taken_) / seconds;
            double tokens = static_cast<double>(writer_.tokens() - tokens_) / seconds;
            what = fmt::format("{:.3g} MB/s, {:.3g}M tokens/s", bytes / 1e6, tokens / 1e6);
        }
        context_.progress(all_ ? static_cast<double>(taken) / static_cast<double>(all_) : 0, what);
    }

private:
    using Clock = std::chrono::steady_clock;
    RunContext& context_;
    const DocumentWriter& writer_;
    std::uint64_t all_;
    Clock::time_point from_;
    std::uint64_t taken_, tokens_, told_ = ~std::uint64_t{0};
};

std::uint64_t size_of(const std::vector<lm::TextFile>& files) {
    std::uint64_t size = 0;
    for (const lm::TextFile& file : files)
        size += file.size;
    return size;
}

std::string summary(const lm::DatasetInfo& info, const std::string& output) {
    std::string text;
    for (const lm::DatasetPart& part : info.parts)
        text += fmt::format("{}: {} documents, {} tokens ({})\n",
                            output,
                            part.documents.least,
                            part.tokens.least,
                            escape_controls(part.key));
    return text;
}

}  // namespace

void Tokenize::describe(DescribeContext& context) const {
    check_keys(context, settings_);
    std::optional<lm::VocabularyFacts> facts = lm::vocabulary_facts(context.input("tokenizer"));
    if (facts && !facts->digest.empty())  // a config.json alone need not say it
        check_facts(context, settings_, *facts);
    std::vector<lm::TextFile> files;
    of_files([&] {
        for (const std::string& text : file_texts(settings_))
            if (auto known = known_files(parse_text_source(text)))
                files.insert(files.end(), known->begin(), known->end());
    });
    check_files(context, settings_, files);
    for (const std::string& output : outputs_of(settings_)) {
        lm::DatasetInfo info = info_of(settings_, facts);
        for (const std::string& key : settings_.keys)
            info.parts.push_back({key + "_document", key, {}, {}, {}});
        lm::write_dataset_info(context.output(output), info);
    }
    Cost cost;
    cost.memory_bytes = kBesides + kOfThread * static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                   settings_.workers.value_or(2), 1));
    if (!files.empty() && facts) {
        // Of text about four bytes are a token; the ids of most vocabularies take four too.
        constexpr std::uint64_t kBytesOfToken = 4;
        auto each = static_cast<std::uint64_t>(lm::bytes_of(lm::token_type_for(facts->size)));
        cost.disk_bytes = size_of(files) / kBytesOfToken * each;
    }
    context.cost(cost);
}

void Tokenize::run(RunContext& context) {
    if (context.rank().rank != 0)
        return;
    check_keys(context, settings_);
    lm::Tokenizer tokenizer = lm::Tokenizer::read(context.input("tokenizer"));
    for (const std::string& notice : tokenizer.notices())
        context.log(LogLevel::warning, notice);
    lm::VocabularyFacts facts = lm::vocabulary_facts(tokenizer);
    check_facts(context, settings_, facts);

    std::vector<lm::TextFile> files;
    of_files([&] {
        std::vector<TextSource> sources;
        for (const std::string& text : file_texts(settings_))
            sources.push_back(parse_text_source(text));
        files = bring_files(sources, context);
    });
    check_files(context, settings_, files);
    if (context.cancelled())
        return;

    EncodeRules encode;
    encode.keys = settings_.keys;
    encode.options.allow_special = settings_.allow_special;
    encode.most_tokens = static_cast<std::size_t>(settings_.max_tokens_per_document.value_or(0));
    encode.strip_newlines = settings_.strip_newlines;
    encode.skip_bad = settings_.bad_lines == Settings::BadLines::skip;
    if (settings_.append_eod)
        encode.end = facts.eod;
    WriteRules write{settings_.keys,
                     lm::token_type_for(facts.size),
                     settings_.holdout,
                     settings_.seed,
                     settings_.max_tokens.value_or(0)};

    DocumentWriter writer(context, write, files);
    Pace pace(context, writer, size_of(files));
    TokenizeWatch watch;
    watch.look = [&] { pace.tell(); };
    watch.cancelled = [&] { return context.cancelled(); };
    auto threads = static_cast<unsigned>(settings_.workers.value_or(context.threads()));
    bool whole = false;
    of_files([&] { whole = tokenize_files(tokenizer, encode, files, threads, writer, watch); });
    if (!whole) {
        context.saved();
        return;
    }
    const Tally& tally = writer.tally();
    if (tally.documents == 0)
        throw Error(
            {},
            fmt::format("no document was found in {}",
                        files.size() == 1 ? files.front().name : plural(files.size(), "file")))
            .hint(tally.skipped > 0
                      ? fmt::format("{} were left out: bad_lines=error shows the first",
                                    plural(tally.skipped, "row"))
                      : std::string("they are empty, or hold blank lines alone"))
            .key(Settings::Key().files)
            .exit_code(kExitBadInput);
    for (const std::string& output : outputs_of(settings_)) {
        lm::DatasetInfo info = info_of(settings_, facts);
        info.parts = writer.finish(output);
        info.skipped = static_cast<std::int64_t>(tally.skipped);
        lm::write_dataset_info(context.output(output), info);
        context.text(summary(info, output));
    }
    if (tally.skipped > 0)
        context.log(LogLevel::warning,
                    fmt::format("{} of {} rows were left out, as bad_lines=skip says",
                                tally.skipped,
                                tally.skipped + tally.documents));
}

}  // namespace stillroom::data
