#include "plugins/checkpoint/model_folder.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "plugins/lm/config/hooks.h"
#include "plugins/lm/hub/model_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

bool is_there(const fs::path& path) {
    std::error_code ignored;  // a dangling link is there, and refused when it is opened
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

Error refusal(const fs::path& folder, std::string_view why) {
    return Error({}, fmt::format("{} is no model folder: {}", folder.string(), why))
        .exit_code(kExitBadInput);
}

/// What the folder is instead, for those who named the one above, an adapter, a GGUF download.
std::string hint_without_config(const fs::path& folder) {
    std::error_code ignored;
    for (const std::string& name : list_folder(folder))
        if (fs::is_regular_file(folder / name / "config.json", ignored))
            return fmt::format("did you mean {}?", (folder / name).string());
    for (const std::string& name : list_folder(folder))
        if (name.ends_with(".gguf"))
            return fmt::format("name the file itself: {}", (folder / name).string());
    if (is_there(folder / "adapter_config.json"))
        return "this is an adapter; name the model that it was trained on";
    if (is_there(folder / "params.json") || is_there(folder / "consolidated.00.pth"))
        return "this is Meta's own layout; the same model's Hugging Face folder is needed";
    return "a model folder holds config.json, safetensors and the tokenizer's files";
}

void require_folder(const fs::path& folder) {
    std::error_code error;
    fs::file_status status = fs::status(folder, error);
    if (status.type() == fs::file_type::not_found)
        throw Error({}, fmt::format("there is no folder {}", folder.string()))
            .hint("hf:ORG/NAME names a model of the Hugging Face Hub")
            .exit_code(kExitBadInput);
    if (!fs::is_directory(status))
        throw refusal(folder, error ? error.message() : "it is no folder");
    if (!is_there(folder / "config.json"))
        throw refusal(folder, "there is no config.json").hint(hint_without_config(folder));
    if (is_there(folder / "hf_quant_config.json"))
        throw refusal(folder, "hf_quant_config.json says that its weights are quantized")
            .hint("the unquantized model is needed");
}

/// Of the weights nothing is there, not even in a form that we refuse.
bool has_no_weights(const fs::path& folder) {
    for (const std::string& name : list_folder(folder))
        if (name.ends_with(".safetensors") || name == lm::kModelIndex || name.ends_with(".gguf") ||
            (lm::is_pickle(name) && name != "training_args.bin"))
            return false;
    return true;
}

void list_below(const fs::path& folder, const std::string& below, int depth, FolderFiles& out) {
    constexpr int kDeepest = 4;
    for (const std::string& name : list_folder(folder / below)) {
        std::string path = below.empty() ? name : below + "/" + name;
        std::error_code ignored;
        if (fs::is_directory(folder / path, ignored)) {
            if (!name.starts_with('.') && depth < kDeepest)
                list_below(folder, path, depth + 1, out);
        } else if (lm::is_small_model_file(path)) {
            out.small.push_back(path);
        } else if (lm::is_code(path) || lm::is_pickle(path)) {
            out.unopened.push_back(path);
        } else if (!path.ends_with(".safetensors") && !name.starts_with('.')) {
            out.others.push_back(path);
        }
    }
}

}  // namespace

const lm::TensorFolder& ModelFolder::tensors() const {
    if (!weights)
        throw refusal(path, "it holds config.json, but no weights")
            .hint("plan and checkpoint.inspect need no more; this stage reads the weights");
    return *weights;
}

std::vector<lm::FolderTensor> ModelFolder::own_tensors() const {
    std::vector<lm::FolderTensor> out;
    for (const lm::FolderTensor& tensor : tensors().tensors())
        if (table.find(tensor.info->name))
            out.push_back(tensor);
    return out;
}

ModelFolder open_model(const fs::path& folder) {
    require_folder(folder);
    lm::ConfigFile config = lm::ConfigFile::read(folder / "config.json");
    lm::WeightTable table = lm::weight_table(config.model());
    ModelFolder model{folder, std::move(config), std::move(table), {}, {}};
    if (has_no_weights(folder))
        return model;
    model.weights = lm::TensorFolder::open(folder);
    model.checked = lm::strict_check(model.config, model.table, *model.weights);
    return model;
}

FolderFiles list_files(const fs::path& folder) {
    FolderFiles out;
    list_below(folder, "", 0, out);
    return out;
}

std::vector<std::string> hooks_of(const fs::path& folder, const FolderFiles& files) {
    std::vector<std::string> out;
    for (const std::string& name : files.small) {
        if (!lm::may_hold_hooks(name))
            continue;
        std::string text = read_file(folder / name, lm::ConfigText::kLimit);
        lm::ConfigText json = lm::ConfigText::parse(text, (folder / name).string());
        for (const std::string& hook : lm::hooks_in(json))
            out.push_back(fmt::format("{}: {}", name, hook));
    }
    return out;
}

std::vector<std::string> bound_files(const ModelFolder& model, const FolderFiles& files) {
    std::vector<std::string> names = files.small;
    if (model.weights)
        for (const lm::TensorFile& file : model.weights->files())
            names.push_back(file.path().lexically_relative(model.path).generic_string());
    else
        std::erase(names, lm::kModelIndex);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace stillroom::checkpoint
