#include "plugins/checkpoint/export.h"

#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "plugins/checkpoint/card.h"
#include "plugins/checkpoint/cast.h"
#include "plugins/checkpoint/logits_check.h"
#include "plugins/checkpoint/model_folder.h"
#include "plugins/checkpoint/partial_folder.h"
#include "plugins/checkpoint/self_check.h"
#include "plugins/checkpoint/small_files.h"
#include "plugins/checkpoint/stop.h"
#include "plugins/lm/config/grouped.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/weights/counts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kCard = "README.md";
constexpr const char* kExport = "stillroom.export.json";
constexpr std::size_t kMostCard = std::size_t{1} << 20;

using Check = ExportSettings::Check;

/// Which part of the whole the writing is; the rest is reading back.
constexpr double kWritten = 0.7;

void require_stock(const lm::ModelConfig& model) {
    if (!lm::is_uniform(model))
        throw Error({},
                    "the model's layers have unequal shapes, which no stock config.json can say")
            .key("model")
            .hint("make all layers alike: the same heads, KV heads and feed-forward width")
            .exit_code(kExitUsage);
}

std::string config_text(const ModelFolder& source, std::optional<lm::Dtype> dtype) {
    lm::ConfigFile config = source.config;
    config.drop_hooks();
    if (dtype) {
        lm::ModelConfig model = config.model();
        model.dtype = config_dtype(*dtype);
        config.express(model);
    }
    return config.text();
}

/// Files whose tensors all stay can be copied as they are.
bool keeps_files(const ModelFolder& source,
                 std::optional<lm::Dtype> dtype,
                 std::optional<std::uint64_t> max_shard_size) {
    if (source.checked.has_tied_head || source.tensors().is_multimodal() ||
        changes(source.own_tensors(), dtype))
        return false;
    for (const lm::TensorFile& file : source.tensors().files()) {
        bool is_torch =
            std::any_of(file.metadata().begin(), file.metadata().end(), [](const auto& one) {
                return one.first == "format" && one.second == "pt";
            });
        bool too_large =
            max_shard_size && file.size() > *max_shard_size && file.tensors().size() > 1;
        if (!is_torch || too_large)
            return false;
    }
    return true;
}

/// All tensors but a tied model's head: what the check let pass beside the decoder stays, uncast.
std::vector<lm::NewTensor> tensors_of(const ModelFolder& source,
                                      std::optional<lm::Dtype> dtype,
                                      unsigned threads,
                                      BadNumbers& numbers) {
    std::vector<lm::NewTensor> out;
    for (const lm::FolderTensor& tensor : source.tensors().tensors()) {
        bool own = source.table.find(tensor.info->name);
        bool ignored = std::find(source.checked.ignored.begin(),
                                 source.checked.ignored.end(),
                                 tensor.info->name) != source.checked.ignored.end();
        if (own)
            for (lm::NewTensor& one : as_dtype({tensor}, dtype, threads, numbers))
                out.push_back(std::move(one));
        else if (ignored)
            out.push_back(lm::unchanged(tensor));
    }
    return out;
}

void sync_file(const fs::path& path) {
    Descriptor file(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
    if (!file.is_open())
        refuse_write(path, errno);
    sync(file, path);
}

class Exporter {
public:
    Exporter(const ExportSettings& settings, RunContext& context)
        : settings_(settings),
          context_(context),
          dtype_(asked_dtype(word(settings.dtype))),
          source_(open_model(context.input("model"))),
          files_(list_files(source_.path)),
          folder_(settings.to, context.work().string()) {}

    /// Whether there is room for it is asked before the first byte.
    static void require_place(const ExportSettings& settings) {
        fs::path parent = fs::absolute(settings.to).lexically_normal();
        std::error_code ignored;
        while (!fs::exists(parent, ignored) && parent.has_relative_path())
            parent = parent.parent_path();
        bool is_folder = fs::is_directory(parent, ignored);
        if (is_folder && ::access(parent.c_str(), W_OK | X_OK) == 0)
            return;
        throw Error({},
                    fmt::format("cannot write {}: {}",
                                settings.to.string(),
                                is_folder ? fmt::format("you may not write in {}", parent.string())
                                          : fmt::format("{} is no folder", parent.string())))
            .key(ExportSettings::Key().to)
            .hint("name a folder that you may write")
            .exit_code(kExitResource);
    }

    void run() {
        require_stock(source_.model());
        if (source_.checked.has_tied_head)
            lm::check_tied_head(source_.tensors());
        // The disk writes while what was written is read back from memory: nothing else is synced
        // before that is done.
        write_weights();
        write_record_file(folder_.path() / kConfig, config_text(source_, dtype_));
        look_at_written();
        write_small_files();
        write_card();
        write_list();
        for (const FileRecord& file : written_)
            sync_file(folder_.path() / file.path);
        std::vector<std::string> names;
        for (const FileRecord& file : written_)
            names.push_back(file.path);
        folder_.publish(names);
        for (const FileRecord& file : written_)
            context_.hashed(settings_.to / file.path, file.size, file.digest);
        tell();
    }

private:
    unsigned threads() const { return static_cast<unsigned>(context_.threads()); }

    void write_weights() {
        lm::SaveOptions options = watched(context_, "writing", 0, kWritten);
        options.sync = false;
        options.max_shard_size = static_cast<std::uint64_t>(settings_.max_shard_size);
        std::optional<std::uint64_t> asked;
        if (context_.given("max_shard_size"))
            asked = options.max_shard_size;
        copied_ = keeps_files(source_, dtype_, asked);
        written_ = copied_ ? lm::copy_model(source_.tensors(), folder_.path(), options)
                           : lm::save_model(folder_.path(),
                                            tensors_of(source_, dtype_, threads(), numbers_),
                                            options);
    }

    void write_small_files() {
        lm::CopiedFiles copied = copy_small_files(
            source_.path, files_, folder_.path(), {kConfig, kCard, std::string(lm::kModelIndex)});
        add(kConfig);
        for (const std::string& name : copied.names)
            add(name);
        for (const std::string& hook : source_.config.hooks())
            dropped_.push_back(fmt::format("{}: {}", kConfig, hook));
        dropped_.insert(dropped_.end(), copied.hooks.begin(), copied.hooks.end());
        for (const std::string& hook : dropped_)
            context_.log(LogLevel::warning,
                         fmt::format("{} names code to be run and was left out", lm::shown(hook)));
        std::vector<std::string> left = files_.unopened;
        left.insert(left.end(), files_.others.begin(), files_.others.end());
        if (!left.empty())
            context_.log(LogLevel::info, fmt::format("not copied: {}", lm::shown(join(left))));
    }

    void add(const std::string& name) {
        FileRecord record = digest_file(folder_.path() / name, threads());
        record.path = name;
        written_.push_back(std::move(record));
    }

    void look_at_written() {
        if (settings_.check != Check::none) {
            SelfCheck check =
                check_written(source_,
                              folder_.path(),
                              dtype_,
                              threads(),
                              watched(context_, "reading back", kWritten, 1).progress);
            numbers_ = check.numbers;
            checked_ = check;
        }
        std::string warning =
            judge(numbers_, settings_.allow_nonfinite, Export::Settings::Key().allow_nonfinite);
        if (!warning.empty())
            context_.log(LogLevel::warning, warning);
        look_at_logits();
    }

    void look_at_logits() {
        if (settings_.check != Check::auto_ && settings_.check != Check::logits)
            return;
        auto needed = static_cast<std::uint64_t>(lm::weight_bytes(source_.table, 32));
        std::string why = settings_.check == Check::auto_ ? why_no_logits(needed) : std::string();
        if (!why.empty()) {
            context_.log(LogLevel::info, fmt::format("logits were not compared: {}", why));
            return;
        }
        ids_ = check_ids(source_.model().vocab);
        logits_ = compare_logits(source_.path, folder_.path(), ids_, context_.threads());
        bool same = logits_->max == 0 && logits_->not_numbers == 0;
        if (checked_ && checked_->cast == 0 && !same && !settings_.allow_nonfinite)
            throw Error(
                {},
                fmt::format("the written model computes other logits: they differ by up to {:.3g}",
                            logits_->max))
                .hint("nothing was kept; this is a fault of Stillroom's, please report it")
                .exit_code(kExitIntegrity);
    }

    /// A sentence for the card.
    std::string checked_text() const {
        if (!checked_)
            return {};
        auto same = static_cast<std::size_t>(checked_->tensors - checked_->cast);
        std::string out = "Read back after writing: ";
        if (same > 0)
            out += fmt::format("{} equal to the source bit for bit", plural(same, "tensor"));
        if (checked_->cast > 0)
            out += fmt::format("{}{} equal to what the cast makes",
                               same > 0 ? ", " : "",
                               plural(static_cast<std::size_t>(checked_->cast), "tensor"));
        if (logits_)
            out += fmt::format(
                "; logits of {} positions in fp32 differ by at most {:.3g} (cosine {:.6f}, the "
                "same likeliest token at {})",
                logits_->positions,
                logits_->max,
                logits_->cosine,
                logits_->same_best);
        return out + ".";
    }

    void write_card() {
        CardFacts facts;
        fs::path to = settings_.to.lexically_normal();
        facts.name = (to.has_filename() ? to : to.parent_path()).filename().string();
        facts.model = inspect(folder_.path(), {});
        facts.lineage = lineage_of(context_.recipe());
        if (std::string name = hub_name_of(fs::weakly_canonical(source_.path));
            !name.empty() && facts.lineage.base.empty())
            facts.lineage.base.push_back(name);
        std::error_code ignored;
        if (fs::is_regular_file(source_.path / kCard, ignored) &&
            fs::file_size(source_.path / kCard, ignored) <= kMostCard)
            facts.source = front_matter_of(read_file(source_.path / kCard, kMostCard));
        facts.base = settings_.base_model.value_or(std::vector<std::string>());
        facts.license = settings_.license.value_or("");
        facts.tags = settings_.tags;
        for (const fs::path& report : context_.inputs("reports"))
            facts.reports.emplace_back(report_name(report), measured_in(report));
        std::vector<std::string> dtypes;
        for (const auto& [name, share] : facts.model.dtypes)
            dtypes.push_back(name);
        facts.dtype = join(dtypes);
        facts.checked = checked_text();
        if (facts.license.empty() && !facts.source.contains("license"))
            context_.log(LogLevel::info,
                         "the card names no licence: neither the source's card nor the setting "
                         "license does");
        write_file(folder_.path() / kCard, card_of(facts));
        add(kCard);
        model_ = facts.model;
        base_ = base_models(facts);
    }

    /// A report in the store lies at KEY/report: its number says enough.
    std::string report_name(const fs::path& report) const {
        const std::vector<fs::path> all = context_.inputs("reports");
        if (all.size() == 1)
            return "report";
        auto at = std::find(all.begin(), all.end(), report);
        return fmt::format("report {}", at - all.begin() + 1);
    }

    /// The folder's own list, by which anybody can see what it should hold.
    void write_list() {
        std::sort(written_.begin(), written_.end(), [](const auto& a, const auto& b) {
            return a.path < b.path;
        });
        JsonWriter out(2);
        out.begin_object();
        out.key("parameters"), out.integer(model_.counts.total);
        out.key("base_model"), out.begin_array();
        for (const std::string& base : base_)
            out.string(base);
        out.end_array();
        put_recipe(out);
        out.key("dropped"), out.begin_array();
        for (const std::string& hook : dropped_)
            out.string(hook);
        out.end_array();
        out.key("check"), out.begin_object();
        if (checked_) {
            out.key("tensors"), out.integer(checked_->tensors);
            out.key("cast"), out.integer(checked_->cast);
        }
        if (logits_)
            put_logits(out);
        out.end_object();
        out.key("files"), out.begin_array();
        for (const FileRecord& file : written_) {
            out.begin_object();
            out.key("path"), out.string(file.path);
            out.key("size"), out.integer(static_cast<std::int64_t>(file.size));
            out.key("digest"), out.string(file.digest);
            out.end_object();
        }
        out.end_array();
        out.end_object();
        write_file(folder_.path() / kExport, out.take() + "\n");
        add(kExport);
    }

    void put_recipe(JsonWriter& out) const {
        out.key("recipe"), out.begin_array();
        for (const Step& step : lineage_of(context_.recipe()).steps) {
            out.begin_object();
            out.key("name"), out.string(step.name);
            out.key("use"), out.string(step.use);
            out.key("inputs"), out.begin_array();
            for (const std::string& input : step.inputs)
                out.string(input);
            out.end_array();
            out.key("settings"), out.begin_object();
            for (const auto& [key, value] : step.settings)
                out.key(key), out.string(value);
            out.end_object();
            out.end_object();
        }
        out.end_array();
    }

    void put_logits(JsonWriter& out) const {
        out.key("logits"), out.begin_object();
        out.key("ids"), out.begin_array();
        for (std::int64_t id : ids_)
            out.integer(id);
        out.end_array();
        out.key("max_difference"), out.number(logits_->max);
        out.key("rms_difference"), out.number(logits_->rms);
        out.key("cosine"), out.number(logits_->cosine);
        out.key("same_argmax"), out.integer(logits_->same_best);
        out.key("positions"), out.integer(logits_->positions);
        out.end_object();
    }

    void tell() {
        std::uint64_t bytes = 0;
        for (const FileRecord& file : written_)
            bytes += file.size;
        std::string out = fmt::format("{} in {}, {} of weights{}\n",
                                      plural(written_.size(), "file"),
                                      settings_.to.string(),
                                      size_text(model_.memory_bytes),
                                      copied_ ? ", byte for byte as in the source" : "");
        if (const auto& towers = source_.tensors().left_out(); !towers.empty())
            out += fmt::format("The decoder alone: left out {} of other towers, as {}\n",
                               plural(towers.size(), "tensor"),
                               lm::shown(towers.front()));
        if (std::string checked = checked_text(); !checked.empty())
            out += checked + "\n";
        context_.text(out);
    }

    const ExportSettings& settings_;
    RunContext& context_;
    std::optional<lm::Dtype> dtype_;
    ModelFolder source_;
    FolderFiles files_;
    PartialFolder folder_;
    std::vector<FileRecord> written_;
    BadNumbers numbers_;
    std::optional<SelfCheck> checked_;
    std::vector<std::int64_t> ids_;
    std::optional<LogitsDifference> logits_;
    std::vector<std::string> dropped_, base_;
    Inspection model_;
    bool copied_ = false;
};

}  // namespace

void Export::describe(DescribeContext& context) const {
    std::error_code ignored;
    if (!fs::exists(context.input("model") / kConfig, ignored))
        return;  // not known before the run
    lm::ConfigFile config = lm::ConfigFile::read(context.input("model") / kConfig);
    require_stock(config.model());
    lm::WeightTable table = lm::weight_table(config.model());
    std::optional<lm::Dtype> dtype = asked_dtype(word(settings_.dtype));
    int bits = dtype ? lm::bits_of(*dtype) : config.model().dtype == "float32" ? 32 : 16;
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(lm::count(table).total);
    cost.disk_bytes = static_cast<std::uint64_t>(lm::weight_bytes(table, bits));
    cost.memory_bytes = std::uint64_t{128} << 20;
    context.cost(cost);
}

void Export::run(RunContext& context) try {
    if (context.rank().rank != 0)
        return;
    Exporter::require_place(settings_);
    Exporter(settings_, context).run();
} catch (const Stopped&) {
}

}  // namespace stillroom::checkpoint
