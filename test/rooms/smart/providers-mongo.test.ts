/** Logins through a provider, of two processes that share a MongoDB: who is sent away by one comes back to the other, and once to both. */
import { FixedClock } from '#kernel'
import { openMongoKeys, openMongoStore } from '#store'
import { newRecoveryCode, recoveryRoot } from '#vault'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { addFamily, openHouse, Visitor } from './house.ts'
import {
  beginLinking,
  depart,
  doneOf,
  isIn,
  leadsTo,
  loopbackFetch,
  openIdentityProvider,
  origin,
  visiting,
  walk,
} from './identity-provider.ts'

whereMongoIs(() => {
  afterAll(stopSharedMongo)

  it('hold in both, and an answer that both get at once links or logs in once', async () => {
    const provider = await openIdentityProvider()
    const [data, keyData] = [await newMongoDatabase(), await newMongoDatabase()]
    const [root, clock] = [recoveryRoot(newRecoveryCode()), new FixedClock(Date.now())]
    const openProcess = async () => {
      const store = await openMongoStore({ uri: data.uri })
      const keys = await openMongoKeys({ uri: keyData.uri })
      const providers = { settings: [provider.settings()], fetch: loopbackFetch }
      const house = await openHouse({ toldUrl: () => origin, providers, shared: { store, keys, root, clock } })
      return { house, close: () => Promise.all([store.close(), keys.close()]) }
    }
    const [one, other] = [await openProcess(), await openProcess()]
    const cookie = (each: Visitor) => [...each.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const bring = (from: Visitor, back: string) =>
      Promise.all([one, other].map(({ house }) => new Visitor(house, { cookie: cookie(from) }).ask(back)))
    await addFamily(one.house, 'Anna')
    const anna = await visiting(one.house, 'Anna')
    const linked = await bring(anna, await walk(leadsTo(await beginLinking(anna)), 'anna'))
    expect(linked.map(doneOf).toSorted()).toEqual(['link-failed', 'linked'])

    const stranger = new Visitor(one.house)
    const answers = await bring(stranger, await walk(leadsTo(await depart(stranger)), 'anna'))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 400])

    // One identity is asked for by two accounts in two processes: it is one's.
    await addFamily(other.house, 'Bert')
    const [bert, again] = [await visiting(other.house, 'Bert'), await visiting(one.house, 'Anna')]
    const [forBert, forAnna] = [
      await walk(leadsTo(await beginLinking(bert)), 'shared'),
      await walk(leadsTo(await beginLinking(again)), 'shared'),
    ]
    const both = await Promise.all([bert.ask(forBert), again.ask(forAnna)])
    expect(both.map(doneOf).toSorted()).toEqual(['link-known', 'linked'])

    // What ends in one is over in the other.
    const by = new Visitor(other.house)
    await by.ask(await walk(leadsTo(await depart(by)), 'anna'))
    expect(await isIn(by)).toBe(true)
    await one.house.smart.resetAccount('Anna', { endNow: true })
    expect(await isIn(by)).toBe(false)
    for (const { house, close } of [one, other]) {
      await house.close()
      await close()
    }
    await provider.close()
  })
})
