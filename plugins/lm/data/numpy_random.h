#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace stillroom::lm {

/// numpy.random.RandomState(seed), as far as shuffles go: MT19937, and numbers below a bound by
/// masking and trying again.
class NumpyRandom {
public:
    explicit NumpyRandom(std::uint32_t seed) : bits_(seed) {}

    /// 0 to `most`, each as likely.
    std::uint64_t below_or_at(std::uint64_t most) {
        std::uint64_t mask = most;
        for (int shift : {1, 2, 4, 8, 16, 32})
            mask |= mask >> shift;
        std::uint64_t value = 0;
        if (most <= 0xffffffff) {
            do
                value = bits_() & mask;
            while (value > most);
        } else {
            do {
                std::uint64_t high = bits_();
                value = ((high << 32) | bits_()) & mask;
            } while (value > most);
        }
        return value;
    }

    /// RandomState.shuffle of one dimension.
    template <class T>
    void shuffle(std::span<T> values) {
        for (std::size_t i = values.size(); i-- > 1;)
            std::swap(values[i], values[below_or_at(i)]);
    }

private:
    std::mt19937 bits_;
};

}  // namespace stillroom::lm
