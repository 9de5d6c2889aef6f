/* zygote.c: a request is one byte and, with it, the child's end of a socketpair (SCM_RIGHTS). There
 * is no answer: the parent may write to its own end at once, and the child says its pid there
 * first. */
#include "libcommon/base/compat.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "services/worker/child.h"
#include "services/worker/zygote.h"

/* Dies with `parent`; the check closes the gap between fork and prctl. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static int receive_fd(int control)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c;
    ssize_t n;
    int fd;

    do
        n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (c == NULL || c->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

NORETURN static void become_child(int fd, pid_t zygote)
{
    die_with(zygote);
    setpgid(0, 0); /* a limit kills whatever the job has started, too */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    child_serve(fd);
    _exit(0);
}

NORETURN static void serve(int control, pid_t parent)
{
    pid_t self = getpid();
    int fd;

    die_with(parent);
    setpgid(0, 0); /* a Ctrl-C in the parent's terminal is the parent's business */
    prctl(PR_SET_NAME, "ceo-zygote");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps; the parent sees a closed socket */
    while ((fd = receive_fd(control)) >= 0) {
        if (fork() == 0) {
            close(control);
            become_child(fd, self);
        }
        close(fd); /* also when fork failed: the parent sees the end of it */
    }
    _exit(0);
}

int zygote_start(struct zygote *z, struct err *err)
{
    pid_t parent = getpid(), pid;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, ERR_INTERNAL, "socketpair: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        return err_set(err, ERR_INTERNAL, "fork: %s", strerror(errno));
    if (pid == 0) {
        close(pair[0]);
        serve(pair[1], parent);
    }
    close(pair[1]);
    z->fd = pair[0];
    return 0;
}

int zygote_spawn(struct zygote *z, int *out_fd, struct err *err)
{
    char byte = 'c', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, ERR_INTERNAL, "socketpair: %s", strerror(errno));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
    if (sendmsg(z->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
        close(pair[0]);
        close(pair[1]);
        return err_set(err, ERR_UNAVAILABLE, "the zygote does not take requests: %s",
                       strerror(errno));
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *out_fd = pair[0];
    return 0;
}

void zygote_stop(struct zygote *z)
{
    if (z->fd >= 0)
        close(z->fd);
    z->fd = -1;
}
