#include "plugins/lm/train/lent.h"

namespace stillroom::lm {

NewTensor Lent::tensor(std::string name, const at::Tensor& x, at::ScalarType type, bool changes) {
    auto one = std::make_shared<One>();
    one->values = x;
    if (changes)
        all_.push_back(one);
    NewTensor out;
    out.info.name = std::move(name);
    out.info.dtype = type == at::kBFloat16 ? Dtype::bf16
                     : type == at::kHalf   ? Dtype::f16
                                           : Dtype::f32;
    out.info.shape = x.sizes().vec();
    out.make = [one, type](const WriteBytes& write) {
        std::lock_guard lock(one->mutex);
        at::Tensor values = one->values.to(type).contiguous();
        write({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
        one->values.reset();
    };
    return out;
}

void Lent::copy_rest() {
    for (const std::shared_ptr<One>& one : all_) {
        std::lock_guard lock(one->mutex);
        if (one->values.defined())
            one->values = one->values.clone();
    }
    all_.clear();
}

}  // namespace stillroom::lm
