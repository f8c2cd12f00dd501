import { openMemoryKeys, openMemoryStore } from '#store'
import { keysContract } from '../../contracts/keys.contract.ts'
import { storeContract } from '../../contracts/store.contract.ts'

storeContract('memory', async () => {
  const subject = openMemoryStore()
  return { subject, dispose: () => subject.close() }
})

keysContract('memory', async () => {
  const subject = openMemoryKeys()
  return { subject, dispose: () => subject.close() }
})
