import type { Connection, mongo } from 'mongoose'
import { isTransient } from './failures.ts'

/**
 * Reads rows as they all were at one moment; every call in it must name the session. It must be short: a server does not keep what
 * was for whoever takes their time. Tried again where the server could not.
 */
export type AtOneMoment = <T>(read: (session: mongo.ClientSession) => Promise<T>) => Promise<T>

const mostTries = 5

/** @param connection  to the server that takes writes */
export function momentsOf(connection: Connection): AtOneMoment {
  return async read => {
    for (let tries = 1; ; tries++) {
      try {
        return await inSession(connection, read)
      } catch (error) {
        if (!isTransient(error) || tries === mostTries) throw error
      }
    }
  }
}

async function inSession<T>(connection: Connection, read: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
  const session = connection.getClient().startSession()
  try {
    session.startTransaction({ readConcern: { level: 'snapshot' }, readPreference: 'primary' })
    const found = await read(session)
    await session.abortTransaction()
    return found
  } finally {
    await session.endSession()
  }
}
