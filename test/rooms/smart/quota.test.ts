/** How many people an account may keep is said on its page, and a further one refused there in words. */
import { type House, openHouse } from './house.ts'
import { csrfOf, type Member, newMember } from './members.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

async function add({ visitor }: Member) {
  const csrf = await csrfOf(visitor)
  return visitor.post('/account/people', { csrf, given: 'Nils', family: 'Weber', birthdate: '', gender: '' })
}

it('is not spoken of where there is no such number', async () => {
  const anna = await newMember(house, 'Anna')
  expect((await anna.visitor.ask('/account')).text).not.toContain('in your own right, of')
  expect(await house.smart.quota('Anna')).toEqual({ used: 2, most: Number.POSITIVE_INFINITY })
})

it('is shown, holds for one account alone, and ends when it is said so', async () => {
  const [anna, bert] = [await newMember(house, 'Anna'), await newMember(house, 'Bert')]
  expect(await house.smart.quota('Anna', 3)).toEqual({ used: 2, most: 3 })
  expect((await anna.visitor.ask('/account')).text).toContain('You keep 2 in your own right, of 3 at most.')
  expect((await add(anna)).status).toBe(303)
  const refused = await add(anna)
  expect([refused.status, refused.text]).toEqual([507, expect.stringContaining('record.patients-exceeded')])
  expect(refused.text).toContain('The account may keep 3 people in its own right')
  for (let at = 0; at < 2; at++) expect((await add(bert)).status).toBe(303)
  expect(await house.smart.quota('Anna', 'default')).toEqual({ used: 3, most: Number.POSITIVE_INFINITY })
  expect((await add(anna)).status).toBe(303)
  await expect(house.smart.quota('nobody')).rejects.toMatchObject({ code: 'smart.account-absent' })
})

it('nobody is added to an account that waits to be deleted, which is said on its page', async () => {
  const anna = await newMember(house, 'Anna')
  await house.smart.deleteAccount('Anna')
  await anna.visitor.logIn('Anna')
  const refused = await add(anna)
  expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('record.account-closed')])
  expect(refused.text).toContain('Keep my account')
})
