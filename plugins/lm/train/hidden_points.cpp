#include "plugins/lm/train/hidden_points.h"

#include "plugins/lm/parallel/layout.h"

#include <charconv>

namespace stillroom::lm {

std::optional<Point> point_named(std::string_view text) {
    if (text == "embed")
        return Point{.kind = Point::embed};
    if (text == "final_norm")
        return Point{.kind = Point::final_norm};
    constexpr std::string_view kLayers = "layers.";
    if (!text.starts_with(kLayers))
        return std::nullopt;
    text.remove_prefix(kLayers.size());
    Point point{.kind = Point::layer};
    auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), point.index);
    if (problem != std::errc{})
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text == ".norm1")
        point.kind = Point::norm1;
    else if (text == ".norm2")
        point.kind = Point::norm2;
    else if (!text.empty())
        return std::nullopt;
    return point;
}

int stage_of(const Layout& layout, const Point& point) {
    if (point.kind == Point::embed)
        return 0;
    int stage = 0;
    while (stage + 1 < layout.pipeline &&
           (point.kind == Point::final_norm || point.index >= layout.first_layer(stage + 1)))
        stage++;
    return stage;
}

}  // namespace stillroom::lm
