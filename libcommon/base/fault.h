/* fault.h: fault points. Compiled in with -DCEO_FAULTS (test builds), nothing otherwise. Armed by
 * the environment: CEO_FAULTS="queue.ack=fail,shell.record.after=kill@3" means: fail each time;
 * kill -9 this process at the third passage. Actions: fail, kill, hang (sleeps 1 h). */
#pragma once
#include "libcommon/base/compat.h"

#ifdef CEO_FAULTS
/* True when the point is armed with `fail` and fires now; kills the process for `kill`. */
bool fault_hit(const char *point);
#define FAULT(point) fault_hit(point)
#else
#define FAULT(point) false
#endif
