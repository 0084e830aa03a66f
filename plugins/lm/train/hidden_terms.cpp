#include "plugins/lm/train/hidden_terms.h"

namespace stillroom::lm {

Watch watch_points(const SeePoint& see) {
    if (!see)
        return {};
    auto at = [see](Point::Kind kind) {
        return [see, kind](std::size_t layer, const at::Tensor& x_TD) {
            see({.kind = kind, .index = layer}, x_TD);
        };
    };
    return {.attention_input = at(Point::norm1),
            .heads = {},
            .mlp_input = at(Point::norm2),
            .mlp_middle = {},
            .layer = [see](std::size_t layer, const at::Tensor&, const at::Tensor& out_TD) {
                see({.kind = Point::layer, .index = layer}, out_TD);
            }};
}

}  // namespace stillroom::lm
