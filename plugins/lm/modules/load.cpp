#include "plugins/lm/modules/load.h"

#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/strict_check.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

namespace stillroom::lm {
namespace {

Dtype dtype_of(at::ScalarType type) {
    switch (type) {
        case at::kFloat:
            return Dtype::f32;
        case at::kBFloat16:
            return Dtype::bf16;
        case at::kHalf:
            return Dtype::f16;
        default:
            throw Error({}, "weights are held in fp32, bf16 or fp16").exit_code(kExitUsage);
    }
}

void check_found(const TensorInfo& info, const std::vector<std::int64_t>& shape) {
    if (info.shape != shape)
        throw Error(
            {},
            fmt::format(
                "'{}' is {}, expected {}", info.name, to_string(info.shape), to_string(shape)))
            .exit_code(kExitBadInput);
    if (!is_convertible(info.dtype) || bits_of(info.dtype) < 16)
        throw Error({}, fmt::format("'{}' is of type {}", info.name, name_of(info.dtype)))
            .hint("weights are F64, F32, BF16 or F16 here; a quantized model is converted first")
            .exit_code(kExitBadInput);
}

/// The file's own bytes as a tensor; the mapping lives as long as it does.
at::Tensor mapped(const FolderTensor& found,
                  const std::shared_ptr<const TensorFolder>& files,
                  at::ScalarType type) {
    auto* bytes = const_cast<std::byte*>(found.bytes().data());  // never written: load.h says so
    return at::from_blob(
        bytes, found.info->shape, [files](void*) {}, at::TensorOptions().dtype(type));
}

at::Tensor converted(const FolderTensor& found, at::ScalarType type) {
    constexpr std::int64_t kGrain = 1 << 18;
    at::Tensor out = at::empty(found.info->shape, type);
    std::span<const std::byte> from = found.bytes();
    auto* to = static_cast<std::byte*>(out.mutable_data_ptr());
    std::size_t from_size = static_cast<std::size_t>(bits_of(found.info->dtype)) / 8;
    std::size_t to_size = out.element_size();
    at::parallel_for(0, out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        auto first = static_cast<std::size_t>(begin), count = static_cast<std::size_t>(end - begin);
        convert(found.info->dtype,
                from.subspan(first * from_size, count * from_size),
                dtype_of(type),
                {to + first * to_size, count * to_size});
    });
    found.forget();
    return out;
}

}  // namespace

TensorSource tensor_source(std::shared_ptr<const TensorFolder> files,
                           at::Device device,
                           at::ScalarType type,
                           Narrow narrow) {
    bool keeps_bf16 = narrow == Narrow::kept && device.is_cpu() && type == at::kFloat;
    return [=](const std::string& name, const std::vector<std::int64_t>& shape) {
        FolderTensor found = files->at(name);
        check_found(*found.info, shape);
        if (device.is_cpu() && found.info->dtype == dtype_of(type))
            return mapped(found, files, type);
        if (keeps_bf16 && found.info->dtype == Dtype::bf16 && shape.size() == 2)
            return mapped(found, files, at::kBFloat16);
        at::Tensor here = converted(found, type);
        return device.is_cpu() ? here : here.to(device);
    };
}

Loaded load_decoder(const std::filesystem::path& folder,
                    at::Device device,
                    at::ScalarType type,
                    Narrow narrow) {
    ConfigFile config = ConfigFile::read(folder / "config.json");
    auto files = std::make_shared<const TensorFolder>(TensorFolder::open(folder));
    const ModelConfig& model = config.model();
    StrictReport report = strict_check(config, weight_table(model), *files);
    if (report.has_tied_head)
        check_tied_head(*files);
    Decoder decoder = build_decoder(model, tensor_source(files, device, type, narrow));
    if (decoder.embed_tokens.scalar_type() != type)
        decoder.wide_type = type;
    files->check();
    return {.decoder = std::move(decoder), .files = std::move(files)};
}

}  // namespace stillroom::lm
