// Makes the replica set and its users; to be run as often as one likes. Runs in mongosh, on the first member's own machine.
const { readFileSync } = require('node:fs')

const secret = name => readFileSync(`/run/secrets/${name}`, 'utf8').trim()
const admin = { user: 'admin', pwd: secret('mongo-admin') }

function connectHere() {
  return new Mongo('mongodb://127.0.0.1:27017/?directConnection=true').getDB('admin')
}

/** Whether an earlier run came to its end. */
function isSetUp() {
  try {
    const db = connectHere()
    db.auth(admin.user, admin.pwd)
    return db.getUser('kinhold') !== null
  } catch {
    return false
  }
}

function initiate(db) {
  const members = ['mongo1', 'mongo2', 'mongo3'].map((host, _id) => ({ _id, host: `${host}:27017` }))
  try {
    db.runCommand({ replSetInitiate: { _id: 'kinhold', members } })
  } catch (error) {
    if (error.codeName !== 'AlreadyInitialized') throw error
  }
}

function awaitPrimary(db) {
  for (let tries = 0; tries < 120; tries++) {
    if (db.hello().isWritablePrimary) return
    sleep(500)
  }
  throw new Error('mongo1 did not become the primary')
}

/** The first user is made without a password, which MongoDB allows on its own machine once; it makes the second. */
function addUsers(db) {
  try {
    db.auth(admin.user, admin.pwd)
  } catch {
    db.createUser({ ...admin, roles: ['root'] })
    db.auth(admin.user, admin.pwd)
  }
  db.createUser({
    user: 'kinhold',
    pwd: secret('mongo-password'),
    roles: [
      { role: 'readWrite', db: 'kinhold' },
      { role: 'readWrite', db: 'kinhold-keys' },
      // What the server proves at its start: that this is a replica set, and what was committed is on most members.
      { role: 'clusterMonitor', db: 'admin' },
    ],
  })
}

if (!isSetUp()) {
  const db = connectHere()
  initiate(db)
  awaitPrimary(db)
  addUsers(db)
}
