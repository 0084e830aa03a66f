#pragma once

#include "engine/schema/evaluator.h"

#include <string>
#include <vector>

namespace stillroom {

/// Where none of several alternatives takes a value: finds the one that was meant, by its tag (a
/// property that is `const` or `enum`) or by the value's type, and reports the mistakes inside that
/// one only. Where none stands out there is one message for all.
class BranchChooser {
public:
    BranchChooser(Evaluator& evaluator,
                  const std::vector<const SubSchema*>& branches,
                  const Node& node,
                  const Step& at)
        : evaluator_(evaluator),
          branches_(branches),
          node_(node),
          at_(at) {}

    void report(Evaluated* gathered);

    /// Where several alternatives take a value that only one may take.
    void report_several(std::size_t fitting);

private:
    /// The keys that the alternatives ask for, where each asks for one key and for nothing else.
    std::vector<std::string> sole_keys() const;
    bool by_tag(Evaluated* gathered);
    bool by_type(Evaluated* gathered);
    std::vector<std::string> tag_names() const;
    std::string expected() const;
    bool accepts_type(const SubSchema& branch) const;

    Evaluator& evaluator_;
    const std::vector<const SubSchema*>& branches_;
    const Node& node_;
    const Step& at_;
};

}  // namespace stillroom
