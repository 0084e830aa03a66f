#pragma once

#include "engine/base/api.h"

namespace stillroom {

/// What signals asked for. The handlers only count.
struct Asked {
    int stops = 0;   ///< SIGINT, SIGTERM, SIGUSR1, and SIGHUP unless it was ignored at the start
    int aborts = 0;  ///< of them SIGINT and SIGTERM
    int last = 0;    ///< the newest one
};

/// Installs the handlers of a run, for the life of the process; SIGPIPE and SIGXFSZ are ignored,
/// the failing write is reported.
STILLROOM_API void watch_signals();
STILLROOM_API Asked asked();

/// What a process ends with that `signal` stopped before there was anything to go on with: 75 for
/// SIGUSR1, by which a batch system says that it will start the job again.
STILLROOM_API int exit_of_stop(int signal);

/// "SIGTERM", "signal 40".
STILLROOM_API const char* signal_name(int number);

}  // namespace stillroom
