/** People with accounts who keep persons together, and how they come to: by addresses that are passed on. */
import { type Answer, addFamily, type House, hidden, Visitor } from './house.ts'

/** Somebody who is logged in and keeps a family. */
export interface Member {
  readonly name: string
  readonly account: string
  readonly visitor: Visitor
  readonly patients: readonly string[]
}

export async function newMember(house: House, name: string): Promise<Member> {
  const { account, patients } = await addFamily(house, name)
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  return { name, account, visitor, patients }
}

export const emilOf = ({ patients }: Member): string => patients[1] ?? ''

export async function csrfOf(visitor: Visitor): Promise<string> {
  return hidden((await visitor.ask('/account')).text, 'csrf')
}

/** What the account page is to say was done. */
export function done({ location }: Answer): string | null | undefined {
  return location?.searchParams.get('done')
}

/** The address to pass on that a page shows. */
export function urlIn({ text }: Answer): string {
  return /<code>(http[^<]+)<\/code>/.exec(text)?.[1] ?? ''
}

/** Opens an address and accepts, or answers the page that refuses. */
export async function accept(
  visitor: Visitor,
  url: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const page = await visitor.ask(url)
  const fields = { csrf: hidden(page.text, 'csrf'), code: hidden(page.text, 'code') }
  return page.status === 200 ? visitor.post('/account/invitation', { ...fields, ...more }) : page
}
