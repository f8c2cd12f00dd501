/** Imported by a server that a test starts: it ends when the test's process does, however that ended. */
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()
