/** Passkeys of two processes that share a MongoDB: a question of one is answered in the other, and once in both. */
import { FixedClock } from '#kernel'
import { openMongoKeys, openMongoStore } from '#store'
import { newRecoveryCode, recoveryRoot } from '#vault'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { Authenticator, askedBy } from './authenticator.ts'
import { addFamily, hidden, openHouse, password, Visitor } from './house.ts'

const origin = 'https://family.example'

whereMongoIs(() => {
  afterAll(stopSharedMongo)

  it('hold in both, and an answer that both get at once logs in once', async () => {
    const [data, keyData] = [await newMongoDatabase(), await newMongoDatabase()]
    const [root, clock] = [recoveryRoot(newRecoveryCode()), new FixedClock(Date.now())]
    const openProcess = async () => {
      const store = await openMongoStore({ uri: data.uri })
      const keys = await openMongoKeys({ uri: keyData.uri })
      const house = await openHouse({ toldUrl: () => origin, shared: { store, keys, root, clock } })
      return { house, close: () => Promise.all([store.close(), keys.close()]) }
    }
    const [one, other] = [await openProcess(), await openProcess()]
    await addFamily(one.house, 'Anna')
    const visitor = new Visitor(one.house)
    await visitor.logIn('Anna')
    const csrf = hidden((await visitor.ask('/account')).text, 'csrf')
    const page = await visitor.post('/account/passkeys', { csrf, name: 'My phone', current: password })
    const device = new Authenticator(origin)
    const made = { csrf, setup: askedBy(page.text).setup, response: JSON.stringify(device.make(askedBy(page.text))) }
    // Both take the same new passkey at once: it is there once.
    const cookie = (each: Visitor) => [...each.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const send = (path: string, from: Visitor, fields: Record<string, string>) =>
      Promise.all([one, other].map(({ house }) => new Visitor(house, { cookie: cookie(from) }).post(path, fields)))
    const added = await send('/account/passkeys/confirm', visitor, made)
    expect(added.map(({ status }) => status).toSorted()).toEqual([303, 400])

    const stranger = new Visitor(one.house)
    const login = await stranger.ask('/auth/login')
    const asked = askedBy(login.text)
    const fields = {
      csrf: hidden(login.text, 'csrf'),
      setup: asked.setup,
      response: JSON.stringify(device.sign(asked)),
    }
    const answers = await send('/auth/login/passkey', stranger, fields)
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 400])
    for (const { house, close } of [one, other]) {
      await house.close()
      await close()
    }
  })
})
