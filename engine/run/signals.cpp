#include "engine/run/signals.h"

#include "engine/base/error.h"

#include <signal.h>
#include <string.h>

#include <initializer_list>

namespace stillroom {
namespace {

volatile sig_atomic_t stops = 0;
volatile sig_atomic_t aborts = 0;
volatile sig_atomic_t last = 0;

void note(int number) {
    // The counters are read by the loop alone; two signals at once may not count twice, which the
    // next one makes good.
    stops = stops + 1;
    if (number == SIGINT || number == SIGTERM)
        aborts = aborts + 1;
    last = number;
}

}  // namespace

void watch_signals() {
    struct sigaction action {};
    action.sa_handler = note;
    ::sigemptyset(&action.sa_mask);
    for (int number : {SIGINT, SIGTERM, SIGUSR1})
        ::sigaddset(&action.sa_mask, number);
    // Without SA_RESTART: a wait ends when a signal comes.
    for (int number : {SIGINT, SIGTERM, SIGUSR1})
        ::sigaction(number, &action, nullptr);
    struct sigaction inherited {};
    ::sigaction(SIGHUP, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN)
        ::sigaction(SIGHUP, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
}

Asked asked() {
    return {stops, aborts, last};
}

int exit_of_stop(int signal) {
    return signal == SIGUSR1 ? kExitStopped : signal == SIGINT ? kExitInterrupted : kExitTerminated;
}

const char* signal_name(int number) {
    struct Name {
        int number;
        const char* text;
    };
    static constexpr Name kNames[] = {
        {SIGINT, "SIGINT"},
        {SIGTERM, "SIGTERM"},
        {SIGUSR1, "SIGUSR1"},
        {SIGHUP, "SIGHUP"},
        {SIGKILL, "SIGKILL"},
        {SIGSEGV, "SIGSEGV"},
        {SIGABRT, "SIGABRT"},
        {SIGBUS, "SIGBUS"},
        {SIGILL, "SIGILL"},
        {SIGFPE, "SIGFPE"},
        {SIGSYS, "SIGSYS"},
        {SIGTRAP, "SIGTRAP"},
        {SIGXCPU, "SIGXCPU"},
    };
    for (const Name& name : kNames)
        if (name.number == number)
            return name.text;
    return ::strsignal(number);
}

}  // namespace stillroom
