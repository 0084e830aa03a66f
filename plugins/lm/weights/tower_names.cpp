#include "plugins/lm/weights/tower_names.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::string_view kBody = "model.", kHead = "lm_head.";

constexpr TowerNames kWays[] = {
    {"language_model.model.", "language_model.lm_head."},  // Gemma 3, Mistral 3
    {"model.language_model.", "lm_head."},                 // Qwen3-VL
};

constexpr std::string_view kOtherTowers[] = {"vision_tower.",
                                             "multi_modal_projector.",
                                             "visual.",
                                             "model.vision_tower.",
                                             "model.multi_modal_projector.",
                                             "model.visual."};

}  // namespace

TowerNames tower_names(std::span<const TensorFile> files) {
    for (const TowerNames& way : kWays)
        for (const TensorFile& file : files)
            for (const TensorInfo& info : file.tensors())
                if (info.name.starts_with(way.body))
                    return way;
    return {};
}

std::string TowerNames::plain(const std::string& name) const {
    if (renames() && name.starts_with(body))
        return std::string(kBody).append(name, body.size());
    if (renames() && name.starts_with(head))
        return std::string(kHead).append(name, head.size());
    return name;
}

bool is_of_other_tower(std::string_view name) {
    return std::any_of(std::begin(kOtherTowers),
                       std::end(kOtherTowers),
                       [&](std::string_view begin) { return name.starts_with(begin); });
}

}  // namespace stillroom::lm
