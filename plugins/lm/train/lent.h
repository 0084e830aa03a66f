#pragma once

#include "plugins/lm/weights/tensor_writer.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Numbers of a training that are written as they lie there while it goes on. Only what is not
/// written yet when they are about to change is copied.
class STILLROOM_API Lent {
public:
    /// The numbers that `x` has now, whenever they are written; once. Where `changes` is false
    /// nobody else knows them.
    NewTensor tensor(std::string name, const at::Tensor& x, at::ScalarType type, bool changes);

    /// From when this returns what was lent may change.
    void copy_rest();

private:
    struct One {
        std::mutex mutex;
        at::Tensor values;  ///< nothing: written
    };
    std::vector<std::shared_ptr<One>> all_;
};

}  // namespace stillroom::lm
