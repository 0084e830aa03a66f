#include "plugins/lm/modules/head_terms.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace stillroom::lm {
namespace {

[[noreturn]] void refuse_term(const char* setting,
                              const std::string& what,
                              const std::string& hint) {
    throw Error({}, what).key(setting).hint(hint).exit_code(kExitUsage);
}

}  // namespace

void check_terms(const HeadTerms& terms) {
    if (!(terms.ce_weight >= 0) || !std::isfinite(terms.ce_weight))
        refuse_term("loss.ce.weight",
                    fmt::format("a weight of {} is not at least 0", terms.ce_weight),
                    "0 leaves cross entropy out");
    if (!terms.kl)
        return;
    const KlTerm& kl = *terms.kl;
    if (!(kl.weight >= 0) || !std::isfinite(kl.weight))
        refuse_term("loss.kl.weight",
                    fmt::format("a weight of {} is not at least 0", kl.weight),
                    "0 only logs the divergence");
    if (!(kl.temperature > 0) || !std::isfinite(kl.temperature))
        refuse_term("loss.kl.temperature",
                    fmt::format("a temperature of {} is not above 0", kl.temperature),
                    "1 leaves the logits as they are");
    if (kl.direction == Divergence::student)
        throw Error({}, "a divergence of the student alone").exit_code(kExitInternal);
    if (kl.direction == Divergence::jsd && !(kl.beta > 0 && kl.beta < 1))
        refuse_term("loss.kl.beta",
                    fmt::format("a share of {} is not between 0 and 1", kl.beta),
                    "direction: forward or reverse are the ends");
    if (kl.top_k < 0)
        refuse_term("loss.kl.top_k", fmt::format("{} tokens", kl.top_k), "null looks at all");
    if (!(kl.top_p > 0 && kl.top_p <= 1))
        refuse_term("loss.kl.top_p",
                    fmt::format("a probability of {} is not above 0 and at most 1", kl.top_p),
                    "1 keeps all of top_k");
    if (kl.top_p < 1 && kl.top_k == 0)
        refuse_term("loss.kl.top_p",
                    fmt::format("top_p {} has no top_k to choose from", kl.top_p),
                    "top_k: 1024");
}

}  // namespace stillroom::lm
