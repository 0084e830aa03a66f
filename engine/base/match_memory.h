#pragma once

#include <cstdint>
#include <memory>
#include <new>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace stillroom {

/// What one match of PCRE2 works with, and the limits it is held to. Where memory is refused PCRE2
/// gives null, which its own functions then follow: here it is std::bad_alloc, as everywhere.
class MatchMemory {
public:
    struct Limits {
        std::uint32_t steps = 0, depth = 0, heap_kib = 0;
    };

    explicit MatchMemory(const Limits& limits)
        : data_(held(pcre2_match_data_create(1, nullptr))),
          limits_(held(pcre2_match_context_create(nullptr))) {
        pcre2_set_match_limit(limits_.get(), limits.steps);
        pcre2_set_depth_limit(limits_.get(), limits.depth);
        pcre2_set_heap_limit(limits_.get(), limits.heap_kib);
    }

    pcre2_match_data* data() const { return data_.get(); }
    pcre2_match_context* limits() const { return limits_.get(); }

private:
    template <class T>
    static T* held(T* made) {
        return made != nullptr ? made : throw std::bad_alloc();
    }

    struct Free {
        void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
        void operator()(pcre2_match_context* limits) const { pcre2_match_context_free(limits); }
    };

    std::unique_ptr<pcre2_match_data, Free> data_;
    std::unique_ptr<pcre2_match_context, Free> limits_;
};

}  // namespace stillroom
