#include "plugins/checkpoint/inspection.h"

#include "plugins/lm/weights/tensor_parallel.h"

#include <fmt/format.h>

namespace stillroom::checkpoint {
namespace {

int bits_of_config(const lm::ModelConfig& model) {
    return model.dtype == "float32" ? 32 : 16;
}

std::string axes_of(const lm::Weight* weight) {
    std::string out;
    if (weight)
        for (const lm::Dim& dim : weight->dims)
            out += (out.empty() ? "" : ", ") + lm::to_string(dim);
    return out;
}

ListedTensor listed(const ModelFolder& model, const lm::FolderTensor& tensor) {
    const lm::TensorInfo& info = *tensor.info;
    return {info.name,
            std::string(lm::name_of(info.dtype)),
            tensor.file->path().lexically_relative(model.path).generic_string(),
            info.shape,
            axes_of(model.table.find(info.name)),
            info.bytes,
            {}};
}

ListedTensor listed(const lm::Weight& weight) {
    return {weight.name, "", "", weight.shape(), axes_of(&weight), 0, {}};
}

void look_at_tensors(const ModelFolder& model, const InspectOptions& options, Inspection& out) {
    std::uint64_t done = 0;
    for (const lm::FolderTensor& tensor : model.weights->tensors()) {
        DtypeShare& share = out.dtypes[std::string(lm::name_of(tensor.info->dtype))];
        ++share.tensors;
        share.parameters += lm::elements(tensor.info->shape);
        share.bytes += tensor.info->bytes;
        if (!out.listed)
            continue;
        out.list.push_back(listed(model, tensor));
        if (!options.statistics)
            continue;
        out.list.back().stats = stats_of(tensor, options.threads);
        done += tensor.info->bytes;
        if (options.progress)
            options.progress(done, model.weights->tensor_bytes());
    }
}

}  // namespace

Inspection inspect(const std::filesystem::path& folder, const InspectOptions& options) {
    ModelFolder model = open_model(folder);
    FolderFiles files = list_files(folder);
    Inspection out;
    out.model = model.model();
    out.counts = lm::count(model.table);
    out.tensors = static_cast<std::int64_t>(model.table.size());
    out.listed = options.list_tensors || options.statistics;
    out.has_weights = model.weights.has_value();
    out.tied_head = model.checked.has_tied_head;
    out.kv_bytes = static_cast<std::uint64_t>(lm::kv_elements(out.model) * 2);
    out.tp_sizes = lm::tp_sizes(out.model);
    out.loads_in = lm::loads_in(out.model);
    out.hooks = hooks_of(folder, files);
    out.unopened = files.unopened;
    out.files = bound_files(model, files);
    out.ignored = model.checked.ignored;
    if (model.weights) {
        out.tensors = static_cast<std::int64_t>(model.weights->tensors().size());
        out.memory_bytes = model.weights->tensor_bytes();
        look_at_tensors(model, options, out);
        return out;
    }
    out.memory_bytes =
        static_cast<std::uint64_t>(lm::weight_bytes(model.table, bits_of_config(out.model)));
    if (out.listed)
        for (const lm::Weight& weight : model.table)
            out.list.push_back(listed(weight));
    return out;
}

}  // namespace stillroom::checkpoint
