#include "plugins/lm/data/split.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/data/blend_order.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <vector>

namespace stillroom::lm {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
    throw Error({}, fmt::format("split '{}' {}", text, why))
        .hint("write the shares of training, validation and test: \"99,1,0\"")
        .exit_code(kExitUsage);
}

}  // namespace

std::string_view word(SplitPart part) {
    switch (part) {
        case SplitPart::train:
            return "train";
        case SplitPart::valid:
            return "valid";
        case SplitPart::test:
            break;
    }
    return "test";
}

Split Split::parse(std::string_view text) {
    std::vector<double> shares;
    double sum = 0;
    for (const std::string& field : split(text, ',')) {
        std::string_view number = trim(field);
        double share = 0;
        auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), share);
        if (failure != std::errc() || end != number.data() + number.size())
            refuse(text, fmt::format("has '{}', which is no number", number));
        if (!std::isfinite(share) || share < 0)
            refuse(text, "has a share below 0, or an infinite one");
        sum += share;
        shares.push_back(share);
    }
    if (shares.size() > 3)
        refuse(text, fmt::format("has {} shares, 3 at most", shares.size()));
    if (sum <= 0 || !std::isfinite(sum))
        refuse(text, "leaves nothing to anyone");
    shares.resize(3, 0);
    shares = normalized(shares);
    Split out;
    for (std::size_t i = 0; i < 3; ++i)
        out.bounds_[i + 1] = out.bounds_[i] + shares[i];
    return out;
}

SequenceRange Split::range(SplitPart part, std::int64_t sequences) const {
    auto which = static_cast<std::size_t>(part);
    if (bounds_[which + 1] <= bounds_[which])
        return {};
    auto bound = [&](double share) {
        return static_cast<std::int64_t>(std::nearbyint(share * static_cast<double>(sequences)));
    };
    return {bound(bounds_[which]), bound(bounds_[which + 1])};
}

}  // namespace stillroom::lm
