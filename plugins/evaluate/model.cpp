#include "plugins/evaluate/model.h"

#include "engine/base/durable.h"
#include "plugins/lm/modules/device.h"

#include <ATen/Parallel.h>

#include <array>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

struct Spelling {
    std::string_view short_name, name;
    at::ScalarType type;
};

/// How settings and config.json call what is computed in.
constexpr std::array<Spelling, 3> kTypes = {{{"bf16", "bfloat16", at::kBFloat16},
                                             {"fp16", "float16", at::kHalf},
                                             {"fp32", "float32", at::kFloat}}};

std::string spelled(std::string_view dtype) {
    for (const Spelling& one : kTypes)
        if (one.short_name == dtype)
            return std::string(one.name);
    return std::string(dtype);
}

std::string short_name(at::ScalarType type) {
    for (const Spelling& one : kTypes)
        if (one.type == type)
            return std::string(one.short_name);
    return "fp32";
}

}  // namespace

Model load_model(RunContext& context, std::string_view dtype, lm::Narrow narrow) {
    return load_model(context, context.input("model"), dtype, narrow);
}

Model load_model(RunContext& context,
                 const fs::path& folder,
                 std::string_view dtype,
                 lm::Narrow narrow) {
    lm::keep_freed_memory();
    at::set_num_threads(context.threads());
    Model model;
    model.device = context.decided("device", [&] { return lm::decided_device(context.device()); });
    at::Device device = lm::compute_device(model.device);
    model.dtype = context.decided(
        "dtype", [&] { return short_name(lm::compute_type(spelled(dtype), device)); });
    model.loaded =
        lm::load_decoder(folder, device, lm::compute_type(spelled(model.dtype), device), narrow);
    return model;
}

void write_report(const fs::path& folder, const std::string& json, const std::string& text) {
    write_record_file(folder / "report.json", json + "\n");
    write_record_file(folder / "report.md", text);
}

}  // namespace stillroom::evaluate
