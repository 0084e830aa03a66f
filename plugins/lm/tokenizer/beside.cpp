#include "plugins/lm/tokenizer/beside.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <system_error>

namespace stillroom::lm {

struct OtherThread::Handle {
    std::function<void()> work;
    pthread_t thread{};
    cpu_set_t processors{};  ///< that the maker may use; none: not known

    static void* run(void* given) {
        auto* handle = static_cast<Handle*>(given);
        // Only its begin was meant to be elsewhere.
        if (CPU_COUNT(&handle->processors) > 0)
            ::pthread_setaffinity_np(
                ::pthread_self(), sizeof handle->processors, &handle->processors);
        handle->work();
        return nullptr;
    }
};

void OtherThread::Join::operator()(Handle* handle) const {
    ::pthread_join(handle->thread, nullptr);
    delete handle;
}

OtherThread::OtherThread(std::function<void()> work) {
    auto handle = std::make_unique<Handle>();
    handle->work = std::move(work);
    pthread_attr_t elsewhere;
    if (int failed = ::pthread_attr_init(&elsewhere))
        throw std::system_error(failed, std::generic_category());
    cpu_set_t& all = handle->processors;
    if (::pthread_getaffinity_np(::pthread_self(), sizeof all, &all) != 0)
        CPU_ZERO(&all);  // more processors than such a set knows
    int here = ::sched_getcpu();
    cpu_set_t others = all;
    if (here >= 0 && here < CPU_SETSIZE)
        CPU_CLR(here, &others);
    if (CPU_COUNT(&others) > 0)
        ::pthread_attr_setaffinity_np(&elsewhere, sizeof others, &others);
    int failed = ::pthread_create(&handle->thread, &elsewhere, Handle::run, handle.get());
    if (failed == EINVAL)  // those others have just been taken from us
        failed = ::pthread_create(&handle->thread, nullptr, Handle::run, handle.get());
    ::pthread_attr_destroy(&elsewhere);
    if (failed != 0)
        throw std::system_error(failed, std::generic_category());
    handle_.reset(handle.release());
}

}  // namespace stillroom::lm
